package audit

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Report is what [Verify] found.
type Report struct {
	Lines    int
	Chains   int
	Open     []Chain   // chains without an end: still being written, killed, or truncated
	Problems []Problem // in the order of the lines
}

// Chain is the part of a run that is in the log.
type Chain struct {
	Run   string
	First Line
	Last  Line
}

// Problem is a line that was modified or moved, or that follows a gap.
type Problem struct {
	Where  Place
	Run    string
	Seq    int64
	Reason string // such as "2 lines before it are missing"
}

func (p Problem) String() string {
	if p.Run == "" {
		return fmt.Sprintf("%s: %s", p.Where, p.Reason)
	}
	return fmt.Sprintf("%s: line %d of run %s: %s", p.Where, p.Seq, p.Run, p.Reason)
}

// chainState is the state of a chain during Verify.
type chainState struct {
	Chain
	hash   string // of the last line
	badMAC bool   // the last line was reported for its MAC; do not report its hash as well
	key    []byte // authenticates the chain's lines; nil until the first valid MAC
	ended  bool
}

// Verify checks every chain in all files of the log at path. Each chain must be
// authenticated by one of keys, the keys of the profiles' vaults. Verify finds lines
// that were modified, removed, added or moved. It cannot find that a whole chain was
// removed, or the last lines of a chain without an end.
func Verify(path string, keys [][]byte) (Report, error) {
	files, err := logFiles(path)
	if err != nil {
		return Report{}, err
	}
	var r Report
	chains := make(map[string]*chainState)
	var order []*chainState
	for _, file := range files {
		for l, err := range readLines(file) {
			if err != nil {
				return Report{}, err
			}
			r.Lines++
			if !l.valid() {
				// This is the torn end of a failed write that was repeated. If it is a
				// damaged line instead, its chain has a gap, which is reported.
				continue
			}
			c := chains[l.Run]
			if c == nil {
				c = &chainState{Chain: Chain{Run: l.Run, First: l}}
				chains[l.Run] = c
				order = append(order, c)
			}
			if reason := c.add(l, keys); reason != "" {
				r.Problems = append(r.Problems, Problem{l.Where, l.Run, l.Seq, reason})
			}
		}
	}
	r.Chains = len(order)
	for _, c := range order {
		if !c.ended {
			r.Open = append(r.Open, c.Chain)
		}
	}
	return r, nil
}

// add adds the next line to the chain and returns what is wrong with it, or "".
func (c *chainState) add(l Line, keys [][]byte) (reason string) {
	first := c.Last.Run == ""
	switch {
	case first && l.Seq != 1:
		reason = missing(l.Seq - 1)
	case first && l.Prev != "":
		reason = "modified: the first line of a run must not name a previous line"
	case !first && c.ended:
		reason = "comes after the end of its run"
	case !first && l.Seq <= c.Last.Seq:
		reason = "duplicated or moved"
	case !first && l.Seq > c.Last.Seq+1:
		reason = missing(l.Seq - c.Last.Seq - 1)
	case !first && l.Prev != c.hash && !c.badMAC:
		reason = "this line or the one before it was modified"
	}
	macReason := c.checkMAC(l, keys)
	c.badMAC = macReason != ""
	reason = cmp.Or(reason, macReason)
	if first || l.Seq > c.Last.Seq {
		c.Last = l
	}
	sum := sha256.Sum256(l.Raw)
	c.hash = hex.EncodeToString(sum[:])
	c.ended = c.ended || l.Event == End
	return reason
}

func missing(lines int64) string {
	if lines == 1 {
		return "1 line before it is missing"
	}
	return fmt.Sprintf("%d lines before it are missing", lines)
}

// checkMAC checks the MAC of a line. The first valid one determines the key of the
// chain.
func (c *chainState) checkMAC(l Line, keys [][]byte) (reason string) {
	i := bytes.LastIndex(l.Raw, []byte(`,"mac":"`))
	given, err := hex.DecodeString(l.MAC)
	if i < 0 || err != nil || len(given) == 0 {
		return "has no valid MAC"
	}
	if c.key != nil {
		keys = [][]byte{c.key}
	}
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(l.Raw[:i])
		if hmac.Equal(given, mac.Sum(nil)) && bytes.Equal(l.Raw[i:], fmt.Appendf(nil, `,"mac":"%s"}`, l.MAC)) {
			c.key = key
			return ""
		}
	}
	return "modified, or no profile here has its key"
}
