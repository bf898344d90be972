package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// A figure is the median time of one benchmark, named as in criterion.
type figure struct {
	Group     string  `json:"group"`
	Contender string  `json:"contender"`
	Parameter string  `json:"parameter"`
	Median    float64 `json:"median_ns"`
}

type report struct {
	Go       string   `json:"go"`
	Errgroup string   `json:"errgroup"`
	Figures  []figure `json:"figures"`
}

const (
	samples = 20
	// limit ends the sampling, once there are a few samples.
	limit = 3 * time.Second
	few   = 5
	// short is the least time that a sample takes.
	short = 5 * time.Millisecond
)

// measure measures the time that run takes.
func (r *report) measure(group, contender, parameter string, run func() error) {
	r.span(group, contender, parameter, func() time.Duration {
		start := time.Now()
		must(run())
		return time.Since(start)
	})
}

// span measures the time that run returns, which may be less than the time that it takes.
func (r *report) span(group, contender, parameter string, run func() time.Duration) {
	times := 1
	sample := func() float64 {
		var sum time.Duration
		for range times {
			sum += run()
		}
		return float64(sum.Nanoseconds()) / float64(times)
	}
	for start := time.Now(); ; start = time.Now() {
		sample()
		if time.Since(start) > short {
			break
		}
		times *= 2
	}
	var all []float64
	start := time.Now()
	for len(all) < few || len(all) < samples && time.Since(start) < limit {
		runtime.GC()
		all = append(all, sample())
	}
	slices.Sort(all)
	median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	r.Figures = append(r.Figures, figure{group, contender, parameter, median})
	fmt.Fprintf(os.Stderr, "%s/%s/%s\t%v\n", group, contender, parameter, time.Duration(median))
}

// print writes the report as JSON.
func (r *report) print() {
	r.Go = runtime.Version()
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			r.Errgroup = module.Path + " " + module.Version
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(r))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
