// Command go measures Go's errgroup on the work of the Rust benchmarks, and prints JSON.
package main

import (
	"time"

	"golang.org/x/sync/errgroup"
)

// count is the number of items, unless a benchmark states another.
const count = 4_000_000

func main() {
	// Both languages must do the same work.
	if work(1, rounds100ns) != checked {
		panic("the work differs from that of the Rust benches")
	}
	var r report
	for _, size := range sizes {
		r.overhead("overhead", size.name, items(count), size.rounds)
		r.overhead("few", size.name, items(100), size.rounds)
		r.collect(size.name, items(count), size.rounds)
	}
	r.uneven()
	r.stream("10ns", rounds10ns)
	r.stream("1000ns", rounds1us)
	r.blocking()
	r.scope()
	r.failures()
	r.print()
}

func (r *report) overhead(group, parameter string, items []uint64, rounds int) {
	r.measure(group, "go_errgroup", parameter, func() error {
		return each(items, func(_ int, item uint64) error {
			_, err := fallible(item, rounds)
			return err
		})
	})
	r.measure(group, "go_errgroup_chunks", parameter, func() error {
		return chunks(items, func(_ int, chunk []uint64) error {
			for _, item := range chunk {
				if _, err := fallible(item, rounds); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (r *report) collect(parameter string, items []uint64, rounds int) {
	r.measure("collect", "go_errgroup", parameter, func() error {
		values := make([]uint64, len(items))
		return each(items, func(i int, item uint64) (err error) {
			values[i], err = fallible(item, rounds)
			return err
		})
	})
	r.measure("collect", "go_errgroup_chunks", parameter, func() error {
		values := make([]uint64, len(items))
		return chunks(items, func(start int, chunk []uint64) (err error) {
			slots := values[start:]
			for i, item := range chunk {
				if slots[i], err = fallible(item, rounds); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// uneven has the costs of benches/uneven.rs.
func (r *report) uneven() {
	lastFour := func(cost uint64) []uint64 {
		costs := make([]uint64, 64)
		for i := range costs {
			costs[i] = cost
			if i >= 60 {
				costs[i] *= 10
			}
		}
		return costs
	}
	ascending, descending, heavy := items(4096), items(4096), items(4096)
	state := uint64(1)
	for i := range uint64(4096) {
		ascending[i] = i / 400
		descending[4095-i] = i / 400
		state = work(state, rounds10ns)
		heavy[i] = min(max((1<<20)/(state%(1<<20)+1), 1), 2000)
	}
	rows := []struct {
		name  string
		costs []uint64
	}{
		{"last_four_of_64_2us", lastFour(2)},
		{"last_four_of_64_20us", lastFour(20)},
		{"last_four_of_64_200us", lastFour(200)},
		{"ascending", ascending},
		{"descending", descending},
		{"heavy_tails", heavy},
	}
	for _, row := range rows {
		r.measure("uneven", "go_errgroup", row.name, func() error {
			return each(row.costs, func(_ int, cost uint64) error {
				for n := range cost {
					if _, err := fallible(n, rounds1us); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

func (r *report) stream(parameter string, rounds int) {
	items := items(200_000)
	f := func(item uint64) (uint64, error) { return fallible(item, rounds) }
	expected := uint64(0)
	for _, item := range items {
		expected = expected*31 + work(item, rounds)
	}
	r.measure("stream", "go_errgroup", parameter, func() error {
		sum := uint64(0)
		err := stream(items, f, func(x uint64) { sum = sum*31 + x })
		if sum != expected {
			panic("the values are not in order")
		}
		return err
	})
}

func (r *report) blocking() {
	for _, row := range []struct {
		name  string
		limit int
	}{{"64", 64}, {"256", 256}} {
		r.measure("blocking", "go_errgroup", row.name, func() error {
			var g errgroup.Group
			g.SetLimit(row.limit)
			for range 256 {
				g.Go(func() error {
					time.Sleep(20 * time.Millisecond)
					return nil
				})
			}
			return g.Wait()
		})
	}
}

func (r *report) scope() {
	const tasks = 1_000_000
	r.measure("scope", "go_errgroup", "empty_outside", func() error {
		var g errgroup.Group
		for range tasks {
			g.Go(func() error { return nil })
		}
		return g.Wait()
	})
	r.measure("scope", "go_errgroup", "closure_outside", func() error {
		var g errgroup.Group
		for task := range uint64(tasks) {
			g.Go(func() error {
				if task == 1<<63 {
					return failed(task)
				}
				return nil
			})
		}
		return g.Wait()
	})
	r.measure("scope", "go_errgroup", "tree", func() error {
		var g errgroup.Group
		tree(&g, 17)
		return g.Wait()
	})
}

// tree starts two functions, each of which starts two more, down to the given level.
func tree(g *errgroup.Group, levels int) {
	if levels > 0 {
		for range 2 {
			g.Go(func() error {
				tree(g, levels-1)
				return nil
			})
		}
	}
}
