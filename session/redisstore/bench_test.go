package redisstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sessionhub/sessionhub/session"
)

// BenchmarkSave saves one counter in sessions of their own, with so many
// savers at once.
func BenchmarkSave(b *testing.B) {
	for _, savers := range []int{1, 64} {
		b.Run(fmt.Sprint(savers), func(b *testing.B) {
			s, _ := shared(b)
			recs := make([]session.Record, savers)
			for i := range recs {
				recs[i] = create(b, s, "")
			}
			b.ReportAllocs()
			b.ResetTimer()
			var (
				wg   sync.WaitGroup
				left atomic.Int64
			)
			left.Store(int64(b.N))
			for _, rec := range recs {
				wg.Go(func() {
					var err error
					for left.Add(-1) >= 0 {
						v := saving(rec, "chat", session.Delta{Add: map[string]int64{"sent": 1}})
						if rec, err = s.Save(b.Context(), family, rec.ID, v); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "saves/s")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	s, _ := shared(b)
	rec := create(b, s, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Load(b.Context(), family, rec.ID, session.Load{Hash: rec.Hash, Slide: session.SlideDue}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck asks for 10,000 sessions at once.
func BenchmarkCheck(b *testing.B) {
	s, _ := shared(b)
	ids := make([]string, 10000)
	for i := range ids {
		ids[i] = create(b, s, "").ID
	}
	b.ReportAllocs()
	for b.Loop() {
		states, err := s.Check(b.Context(), family, ids)
		if err != nil || states[len(states)-1] == nil {
			b.Fatal(states, err)
		}
	}
}
