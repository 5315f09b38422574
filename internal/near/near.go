// Package near finds the name that somebody probably meant.
package near

import "slices"

// Nearest returns the candidate with the smallest edit distance from name, in bytes. It
// returns "" if the distance of all of them is more than limit. Of several, it is the
// first in alphabetical order.
func Nearest(name string, candidates []string, limit int) string {
	best, distance := "", 1+limit
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
