package transport_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/sessionhub/sessionhub/hub"
)

// deaf is a broker whose subscription can be lost.
type deaf struct {
	hub.Broker
	receiver atomic.Pointer[deafReceiver]
}

// deafReceiver does not get notices while it is cut.
type deafReceiver struct {
	hub.Receiver
	cut atomic.Bool
}

func newDeaf(b hub.Broker) *deaf { return &deaf{Broker: b} }

func (d *deaf) Run(ctx context.Context, r hub.Receiver) error {
	dr := &deafReceiver{Receiver: r}
	d.receiver.Store(dr)
	return d.Broker.Run(ctx, dr)
}

func (r *deafReceiver) Notice(text string) {
	if !r.cut.Load() {
		r.Receiver.Notice(text)
	}
}

// deafen makes the hub stale.
func (d *deaf) deafen() {
	r := d.receiver.Load()
	r.cut.Store(true)
	r.Stale(errors.New("cut by the test"))
}

// hear lets the hub become fresh again.
func (d *deaf) hear() {
	r := d.receiver.Load()
	r.cut.Store(false)
	r.Fresh()
}
