package hub_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
)

// BenchmarkReaders runs one writer and N parked readers; every reader reads each
// unit before the next is written, which is the worst case for wake-ups. One operation
// is one unit delivered to all readers; allocs counts those of the writer and all readers.
func BenchmarkReaders(b *testing.B) {
	for _, readers := range []int{1, 100, 300, 1000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			h := hub.New()
			p := publish(b, h, "bench")
			var took sync.WaitGroup
			var all sync.WaitGroup
			for range readers {
				s := subscribe(b, h, "bench")
				all.Go(func() {
					for {
						if _, err := s.Next(b.Context()); err == io.EOF {
							return
						}
						took.Done()
					}
				})
			}
			au := media.AccessUnit{Key: true, Data: make([]byte, 16<<10), Arrived: time.Now()}
			b.ReportAllocs()
			for b.Loop() {
				took.Add(readers)
				p.Write(au)
				took.Wait()
			}
			b.StopTimer()
			p.Close()
			all.Wait()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(readers), "ns/delivery")
		})
	}
}
