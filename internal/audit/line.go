package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textLimit bounds each text of a line, in bytes.
const textLimit = 1 << 10

// chain makes the lines of one run.
type chain struct {
	run, actor string
	mac        hash.Hash // nil for lines without a MAC
	seq        int64     // of the last line
	prev       string    // the last line's hash
}

// append adds the line for e to buf and moves the chain on.
func (c *chain) append(buf []byte, e *entry) []byte {
	c.seq++
	start := len(buf)
	buf = append(buf, `{"time":"`...)
	buf = e.at.UTC().AppendFormat(buf, "2006-01-02T15:04:05.000000Z")
	buf = append(buf, '"')
	buf = appendMember(buf, "run", c.run)
	buf = appendNumber(buf, "seq", c.seq)
	buf = append(buf, `,"prev":"`...)
	buf = append(buf, c.prev...)
	buf = append(buf, '"')
	buf = appendMember(buf, "event", e.Event.Event)
	buf = appendMember(buf, "profile", e.Profile)
	buf = appendMember(buf, "provider", e.Provider)
	buf = appendMember(buf, "connection", e.Connection)
	buf = appendMember(buf, "outcome", e.Outcome)
	buf = appendMember(buf, "actor", c.actor)
	buf = appendMember(buf, "host", e.Host)
	buf = appendMember(buf, "method", e.Method)
	if i := strings.IndexAny(e.Path, "?#"); i >= 0 {
		e.Path = e.Path[:i]
	}
	buf = appendMember(buf, "path", e.Path)
	buf = appendNumber(buf, "status", int64(e.Status))
	if e.Duration != 0 {
		buf = append(buf, `,"duration":`...)
		buf = strconv.AppendFloat(buf, e.Duration.Seconds(), 'f', -1, 64)
	}
	buf = appendNumber(buf, "count", e.count)
	if c.mac != nil {
		c.mac.Reset()
		c.mac.Write(buf[start:])
		buf = append(buf, `,"mac":"`...)
		buf = hex.AppendEncode(buf, c.mac.Sum(nil))
		buf = append(buf, '"')
	}
	buf = append(buf, '}')
	sum := sha256.Sum256(buf[start:])
	c.prev = hex.EncodeToString(sum[:])
	return append(buf, '\n')
}

func appendNumber(buf []byte, name string, n int64) []byte {
	if n == 0 {
		return buf
	}
	buf = append(buf, `,"`...)
	buf = append(buf, name...)
	buf = append(buf, `":`...)
	return strconv.AppendInt(buf, n, 10)
}

// appendMember writes text so that it can neither end the line nor steer a
// terminal: encoding/json leaves DEL, C1 controls and bidirectional overrides as
// they are, here everything that does not print is escaped.
func appendMember(buf []byte, name, text string) []byte {
	if text == "" {
		return buf
	}
	buf = append(buf, `,"`...)
	buf = append(buf, name...)
	buf = append(buf, `":"`...)
	size := 0
	for _, r := range text { // what is no UTF-8 becomes U+FFFD
		if size += utf8.RuneLen(r); size > textLimit {
			buf = append(buf, "…"...)
			break
		}
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case unicode.IsPrint(r):
			buf = utf8.AppendRune(buf, r)
		default:
			buf = appendEscape(buf, r)
		}
	}
	return append(buf, '"')
}

// appendEscape writes \uXXXX, twice for what needs a surrogate pair.
func appendEscape(buf []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	units := []rune{r}
	if r > 0xffff {
		r -= 0x10000
		units = []rune{0xd800 + r>>10, 0xdc00 + r&0x3ff}
	}
	for _, u := range units {
		buf = append(buf, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
	}
	return buf
}
