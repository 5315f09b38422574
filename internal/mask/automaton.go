package mask

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// automaton finds all patterns in a text at once. It makes exactly one step for each
// byte, whatever the text is: a search that compares a candidate byte by byte would
// take longer for a better guess.
type automaton struct {
	patterns []pattern
	longest  int // of the patterns, in bytes

	class [256]uint8 // equal for bytes that no pattern distinguishes
	width uint32     // number of classes
	// next has a row for each state, with the row of the following state for each
	// class. The search starts in row 0.
	next   []uint32
	ends   [][]int // for each of the last states, the patterns that end there
	ending uint32  // the first row of these states
}

// compile returns nil if there are no patterns.
func compile(patterns []pattern) *automaton {
	if len(patterns) == 0 {
		return nil
	}
	a := &automaton{patterns: patterns}
	for i := range patterns {
		a.longest = max(a.longest, patterns[i].longest)
	}
	newBuilder(patterns).build(a)
	return a
}

// search continues a search in the state in which the last one ended, 0 at first. It
// calls found for each pattern that ends in text, with the position after it.
func search[T string | []byte](a *automaton, state uint32, text T, found func(pattern, end int)) uint32 {
	for i := range len(text) {
		state = a.next[state+uint32(a.class[text[i]])]
		if state >= a.ending {
			a.ended(state, func(pattern int) { found(pattern, i+1) })
		}
	}
	return state
}

// lanes is the number of places at which searchLong searches at the same time. Each
// step of a search waits for the one before; four searches wait together.
const lanes = 4

// searchLong is search for a text that may be long, of which it takes about a third
// of the time.
func searchLong(a *automaton, state uint32, text []byte, found func(pattern, end int)) uint32 {
	size := len(text) / lanes
	if size < 2*a.longest {
		return search(a, state, text, found)
	}
	// No pattern reaches back further than its length, so a search that begins that
	// much earlier arrives in the same state as one that begins at the start.
	var parts [lanes][]byte
	states := [lanes]uint32{state}
	for i := range parts {
		parts[i] = text[i*size:][:size]
		if i > 0 {
			states[i] = search(a, 0, text[i*size-(a.longest-1):i*size], func(int, int) {})
		}
	}
	var hits [lanes][]span
	s0, s1, s2, s3 := states[0], states[1], states[2], states[3]
	p0, p1, p2, p3 := parts[0], parts[1], parts[2], parts[3]
	next, class, ending := a.next, &a.class, a.ending
	for i := range size {
		s0 = next[s0+uint32(class[p0[i]])]
		s1 = next[s1+uint32(class[p1[i]])]
		s2 = next[s2+uint32(class[p2[i]])]
		s3 = next[s3+uint32(class[p3[i]])]
		if max(s0, s1, s2, s3) >= ending {
			for lane, s := range [lanes]uint32{s0, s1, s2, s3} {
				a.ended(s, func(pattern int) { hits[lane] = append(hits[lane], span{pattern: pattern, to: lane*size + i + 1}) })
			}
		}
	}
	for _, lane := range hits {
		for _, hit := range lane {
			found(hit.pattern, hit.to)
		}
	}
	return search(a, s3, text[lanes*size:], func(pattern, end int) { found(pattern, lanes*size+end) })
}

// ended calls found for each pattern that ends in a state.
func (a *automaton) ended(state uint32, found func(pattern int)) {
	if state < a.ending {
		return
	}
	for _, pattern := range a.ends[(state-a.ending)/a.width] {
		found(pattern)
	}
}

// builder makes the automaton from a graph of nodes: each way to write a secret is a
// path from node 0 to the node in which the secret ends. A state of the automaton is
// the set of nodes that the text leads to, from any position in it.
type builder struct {
	edges   [][]edge       // by node
	pattern map[uint32]int // by the node in which it ends

	states [][]uint32        // sorted nodes, without 0, which every state has
	number map[string]uint32 // of a state
	rows   [][]edge          // by state; what is missing is as in state 0
}

// edge leads to a node or a state.
type edge struct {
	c  byte
	to uint32
}

func newBuilder(patterns []pattern) *builder {
	b := &builder{pattern: make(map[uint32]int), number: make(map[string]uint32)}
	b.node()
	for i, p := range patterns {
		at := uint32(0)
		for n, unit := range p.units {
			to := b.node()
			if n == len(p.units)-1 {
				b.pattern[to] = i
			}
			for _, form := range unit {
				b.path(at, to, form)
			}
			at = to
		}
	}
	return b
}

func (b *builder) node() uint32 {
	b.edges = append(b.edges, nil)
	return uint32(len(b.edges) - 1)
}

// path adds the bytes of a form between two nodes.
func (b *builder) path(from, to uint32, form string) {
	for i := range len(form) {
		next := to
		if i < len(form)-1 {
			next = b.node()
		}
		b.edges[from] = append(b.edges[from], edge{form[i], next})
		from = next
	}
}

func (b *builder) build(a *automaton) {
	b.state(nil)
	for i := 0; i < len(b.states); i++ {
		b.rows = append(b.rows, b.row(b.states[i]))
	}
	a.width = 1
	for _, edges := range b.edges {
		for _, e := range edges {
			if a.class[e.c] == 0 {
				a.class[e.c] = uint8(a.width) // fewer than 256: no control characters
				a.width++
			}
		}
	}
	var order, last []uint32
	for state, nodes := range b.states {
		if ends := b.ends(nodes); len(ends) == 0 {
			order = append(order, uint32(state))
		} else {
			last, a.ends = append(last, uint32(state)), append(a.ends, ends)
		}
	}
	a.ending = uint32(len(order)) * a.width
	order = append(order, last...)
	rowOf := make([]uint32, len(order))
	for i, state := range order {
		rowOf[state] = uint32(i) * a.width
	}
	a.next = make([]uint32, len(order)*int(a.width))
	for _, state := range order {
		row := a.next[rowOf[state]:][:a.width]
		for _, transitions := range [][]edge{b.rows[0], b.rows[state]} {
			for _, e := range transitions {
				row[a.class[e.c]] = rowOf[e.to]
			}
		}
	}
}

// state returns the number of a state, and adds it if it is new.
func (b *builder) state(nodes []uint32) uint32 {
	key := make([]byte, 0, 64)
	for _, n := range nodes {
		key = binary.BigEndian.AppendUint32(key, n)
	}
	number, ok := b.number[string(key)]
	if !ok {
		number = uint32(len(b.states))
		b.states = append(b.states, slices.Clone(nodes))
		b.number[string(key)] = number
	}
	return number
}

// row returns where a state leads with the bytes that its own nodes have.
func (b *builder) row(nodes []uint32) []edge {
	if len(nodes) == 0 {
		nodes = []uint32{0}
	}
	var all []edge
	var has [256]bool
	for _, n := range nodes {
		for _, e := range b.edges[n] {
			all, has[e.c] = append(all, e), true
		}
	}
	for _, e := range b.edges[0] {
		if has[e.c] {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(x, y edge) int { return cmp.Or(cmp.Compare(x.c, y.c), cmp.Compare(x.to, y.to)) })
	var row []edge
	var next []uint32
	for i, e := range all {
		if len(next) == 0 || next[len(next)-1] != e.to {
			next = append(next, e.to)
		}
		if i == len(all)-1 || all[i+1].c != e.c {
			row, next = append(row, edge{e.c, b.state(next)}), next[:0]
		}
	}
	return row
}

func (b *builder) ends(nodes []uint32) []int {
	var ends []int
	for _, n := range nodes {
		if i, ok := b.pattern[n]; ok {
			ends = append(ends, i)
		}
	}
	return ends
}
