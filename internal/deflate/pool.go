// Package deflate compresses small values into a form that says how long they
// are, so that a reader knows before it inflates one.
package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Pool compresses and inflates, from any goroutine. The zero value works. It
// keeps what does so: a writer takes 1.2 MB and most of a millisecond to make, a
// value 20 µs to compress.
type Pool struct {
	writers sync.Pool // of *flate.Writer
	readers sync.Pool // of *inflater
}

// Deflate returns the length of text and its DEFLATE stream.
func (p *Pool) Deflate(text []byte) []byte {
	out := bytes.NewBuffer(binary.AppendUvarint(nil, uint64(len(text))))
	w, ok := p.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(out)
	} else {
		// The fastest level: on JSON of a few KiB it is within 2% of the best
		// one in size, and takes a third of the time.
		w, _ = flate.NewWriter(out, flate.BestSpeed) // fails for an unknown level only
	}
	// A bytes.Buffer takes everything.
	w.Write(text)
	w.Close()
	p.writers.Put(w)
	return out.Bytes()
}

// inflater reads DEFLATE streams, one after the other.
type inflater struct {
	src bytes.Reader
	io.ReadCloser
}

// Inflate is the inverse of Deflate. It refuses a text above limit before it
// makes room for it, and stops where the stream gets longer than it declared.
func (p *Pool) Inflate(body []byte, limit int) ([]byte, error) {
	size, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, errors.New("truncated")
	}
	if size > uint64(limit) {
		return nil, fmt.Errorf("inflates to %d bytes, over the limit of %d", size, limit)
	}
	in, ok := p.readers.Get().(*inflater)
	if !ok {
		in = new(inflater)
		in.ReadCloser = flate.NewReader(&in.src)
	}
	defer func() {
		in.src.Reset(nil) // the pool holds no value in memory
		p.readers.Put(in)
	}()
	in.src.Reset(body[n:])
	if err := in.ReadCloser.(flate.Resetter).Reset(&in.src, nil); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	var more [1]byte
	if _, err := io.ReadFull(in, more[:]); err != io.EOF || in.src.Len() > 0 {
		return nil, errors.New("inflates to more than it declares")
	}
	return text, nil
}
