package main

import (
	"cmp"
	"slices"
)

// quantile returns the nearest-rank quantile of sorted values, or zero for an empty
// slice.
func quantile[T cmp.Ordered](sorted []T, q float64) (zero T) {
	if len(sorted) == 0 {
		return zero
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// spread is the median and the range of a figure over several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Sorted(slices.Values(values))
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return spread{Median: middle, Min: v[0], Max: v[len(v)-1]}
}

// floats applies f to every element.
func floats[T any](values []T, f func(T) float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

// ratios divides element by element, and leaves out a division by zero. Both slices
// have one element per round.
func ratios(of, by []float64) []float64 {
	out := make([]float64, 0, len(of))
	for i := range min(len(of), len(by)) {
		if by[i] > 0 {
			out = append(out, of[i]/by[i])
		}
	}
	return out
}
