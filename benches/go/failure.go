package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// failures measures the time from the moment an item is about to fail to the return.
func (r *report) failures() {
	const group = "failure_to_return"
	rows := []struct {
		name    string
		rounds  int
		count   int
		failing uint64
	}{
		{"100ns_early", rounds100ns, count, count / 100},
		{"100ns_middle", rounds100ns, count, count / 2},
		{"10us_early", rounds10us, 4000, 40},
	}
	for _, row := range rows {
		all := items(row.count)
		var start time.Time
		one := func(item uint64) error {
			if item == row.failing {
				start = time.Now()
				return failed(item)
			}
			_, err := fallible(item, row.rounds)
			return err
		}
		r.span(group, "go_errgroup", row.name, func() time.Duration {
			mustFail(each(all, func(_ int, item uint64) error { return one(item) }))
			return time.Since(start)
		})
		if row.rounds > rounds100ns {
			continue // not cheap: chunks are not needed
		}
		r.span(group, "go_errgroup_chunks", row.name, func() time.Duration {
			mustFail(chunks(all, func(_ int, chunk []uint64) error {
				for _, item := range chunk {
					if err := one(item); err != nil {
						return err
					}
				}
				return nil
			}))
			return time.Since(start)
		})
	}
	r.span("failure_while_waiting", "go_errgroup", "sleep", waiting)
}

// waiting runs a function that waits for the context while another one fails.
func waiting() time.Duration {
	g, ctx := errgroup.WithContext(context.Background())
	waits := make(chan struct{})
	var start time.Time
	g.Go(func() error {
		close(waits)
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
		return ctx.Err()
	})
	g.Go(func() error {
		<-waits
		start = time.Now()
		return failed(0)
	})
	mustFail(g.Wait())
	return time.Since(start)
}

func mustFail(err error) {
	if err == nil {
		panic("no item failed")
	}
}
