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

// textLimit is the maximum length of a text in a line, in bytes.
const textLimit = 1 << 10

// chain encodes the lines of one run.
type chain struct {
	run, actor string
	mac        hash.Hash // if nil, lines have no MAC
	seq        int64     // of the last line
	prev       string    // the hash of the last line
}

// append appends the next line of the chain, for e, to buf.
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
	buf = appendNumber(buf, "count", e.Count)
	buf = appendMember(buf, "command", e.Command)
	buf = appendMember(buf, "agent", e.Agent)
	buf = appendNumber(buf, "pid", int64(e.PID))
	buf = appendMember(buf, "archived", e.archived)
	buf = appendMember(buf, "deleted", e.deleted)
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

// appendNumber appends a member with a number, unless it is 0.
func appendNumber(buf []byte, name string, n int64) []byte {
	if n == 0 {
		return buf
	}
	buf = append(buf, `,"`...)
	buf = append(buf, name...)
	buf = append(buf, `":`...)
	return strconv.AppendInt(buf, n, 10)
}

// appendMember appends a member with a text, unless it is empty. The text can
// neither end the line nor control a terminal: encoding/json does not escape DEL,
// C1 controls and bidirectional overrides, so appendMember escapes every rune that
// is not printable.
func appendMember(buf []byte, name, text string) []byte {
	if text == "" {
		return buf
	}
	buf = append(buf, `,"`...)
	buf = append(buf, name...)
	buf = append(buf, `":"`...)
	size := 0
	for _, r := range text { // invalid UTF-8 becomes U+FFFD
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

// appendEscape appends \uXXXX, or two of them for a surrogate pair.
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
