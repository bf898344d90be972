package main

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// each starts a goroutine per item, as the documentation of errgroup does.
func each(items []uint64, f func(int, uint64) error) error {
	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, item := range items {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return f(i, item) })
	}
	return g.Wait()
}

// chunks starts a goroutine per chunk, as one does where items are cheap; f loops over the chunk.
func chunks(items []uint64, f func(start int, chunk []uint64) error) error {
	g, ctx := errgroup.WithContext(context.Background())
	threads := runtime.GOMAXPROCS(0)
	g.SetLimit(threads)
	start, size := 0, min(max(len(items)/(4*threads), 1), 1024)
	for chunk := range slices.Chunk(items, size) {
		if ctx.Err() != nil {
			break
		}
		from := start
		start += len(chunk)
		g.Go(func() error { return f(from, chunk) })
	}
	return g.Wait()
}

// stream hands the values to sink in order, through a bounded queue of one channel per item.
func stream(items []uint64, f func(uint64) (uint64, error), sink func(uint64)) error {
	threads := runtime.GOMAXPROCS(0)
	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(threads + 1)
	queue := make(chan chan uint64, 64*threads)
	g.Go(func() error {
		defer close(queue)
		for _, item := range items {
			value := make(chan uint64, 1)
			select {
			case queue <- value:
			case <-ctx.Done():
				return nil
			}
			g.Go(func() error {
				x, err := f(item)
				if err == nil {
					value <- x
				}
				return err
			})
		}
		return nil
	})
	for value := range queue {
		select {
		case x := <-value:
			sink(x)
		case <-ctx.Done():
			return g.Wait()
		}
	}
	return g.Wait()
}
