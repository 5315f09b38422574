// Package bom reads text that begins with a byte order mark, as editors and shells of
// Windows write it. It does not guess: text without a mark is returned as it is.
package bom

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// Decode returns text in UTF-8 without a byte order mark. Text that begins with the mark of
// UTF-16 is converted, unless its last character is cut off.
func Decode(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	}
	if order == nil || len(data)%2 != 0 {
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}
