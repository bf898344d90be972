package main

import (
	"fmt"
	"math/bits"
)

// work is that of the Rust benches (their module work): rounds of a folded multiplication.
func work(item uint64, rounds int) uint64 {
	for range rounds {
		high, low := bits.Mul64(item^0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9)
		item = high ^ low
	}
	return item
}

// checked is the result of the Rust work for 1 after 71 rounds.
const checked = 0xc5fb_4fc2_53b3_d89e

// failed is the error of an item.
type failed uint64

func (item failed) Error() string { return fmt.Sprintf("item %d failed", uint64(item)) }

// fallible is work that may fail. It never does, but the compiler cannot know that.
func fallible(item uint64, rounds int) (uint64, error) {
	x := work(item, rounds)
	if x == 0x0123_4567 {
		return 0, failed(item)
	}
	return x, nil
}

// The rounds of items by the time they take.
const (
	rounds1ns   = 1
	rounds10ns  = 15
	rounds100ns = 71
	rounds1us   = 710
	rounds10us  = 7100
)

// sizes are the costs of the cheap items.
var sizes = []struct {
	name   string
	rounds int
}{{"1ns", rounds1ns}, {"10ns", rounds10ns}, {"100ns", rounds100ns}}

// items counts up from zero.
func items(count int) []uint64 {
	items := make([]uint64, count)
	for i := range items {
		items[i] = uint64(i)
	}
	return items
}
