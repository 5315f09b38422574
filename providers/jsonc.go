package providers

import "bytes"

// plainJSON returns the JSON of a file that people write: it replaces comments and
// commas before a closing bracket by spaces, so that positions in the text stay the same.
// A file that is JSON already is returned as it is.
func plainJSON(data []byte) []byte {
	plain := data
	blank := func(from, to int) {
		if &plain[0] == &data[0] {
			plain = bytes.Clone(data)
		}
		for i := from; i < to; i++ {
			if plain[i] != '\n' && plain[i] != '\r' {
				plain[i] = ' '
			}
		}
	}
	comma := -1 // a comma after which only space and comments have been read
	for i := 0; i < len(data); {
		switch c := data[i]; {
		case c == '"':
			comma = -1
			i = stringEnd(data, i)
		case c == '/':
			end := commentEnd(data, i)
			if end == i {
				return data // not JSON; the decoder says where
			}
			blank(i, end)
			i = end
		case c == ',':
			comma = i
			i++
		case c == '}' || c == ']':
			if comma >= 0 {
				blank(comma, comma+1)
			}
			comma = -1
			i++
		default:
			if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				comma = -1
			}
			i++
		}
	}
	return plain
}

// stringEnd returns the position after the string that begins at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// commentEnd returns the position after the comment that begins at i, or i if none does.
func commentEnd(data []byte, i int) int {
	switch {
	case bytes.HasPrefix(data[i:], []byte("//")):
		if n := bytes.IndexByte(data[i:], '\n'); n >= 0 {
			return i + n
		}
		return len(data)
	case bytes.HasPrefix(data[i:], []byte("/*")):
		if n := bytes.Index(data[i+2:], []byte("*/")); n >= 0 {
			return i + 2 + n + 2
		}
	}
	return i
}
