package providers

import (
	"maps"
	"slices"
	"strings"
)

// near returns the name of the definition that is most similar to name, or "".
func (s *Set) near(name string) string {
	return nearest(strings.ToLower(name), slices.Collect(maps.Keys(s.byName)))
}

// nearest returns the candidate with the smallest edit distance from name. It
// returns "" if the distance of all of them is more than a third of name.
func nearest(name string, candidates []string) string {
	best, distance := "", 1+max(1, len(name)/3)
	for _, candidate := range slices.Sorted(slices.Values(candidates)) {
		if n := edits(name, candidate); n < distance {
			best, distance = candidate, n
		}
	}
	return best
}

// edits returns the Levenshtein distance of a and b, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
