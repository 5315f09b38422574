package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Report is what [Verify] found.
type Report struct {
	Lines    int
	Chains   int
	Open     []Chain   // without their end: still written, killed, or cut
	Problems []Problem // in the order in which they were found
}

// Chain is the part of a run that a log holds.
type Chain struct {
	Run   string
	First Line
	Last  Line
}

// Problem is a line that is not as it was written, or not where it was.
type Problem struct {
	Where  Place
	Run    string
	Seq    int64
	Reason string
}

func (p Problem) String() string {
	if p.Run == "" {
		return fmt.Sprintf("%s: %s", p.Where, p.Reason)
	}
	return fmt.Sprintf("%s: line %d of run %s: %s", p.Where, p.Seq, p.Run, p.Reason)
}

// chainState is a chain while it is followed.
type chainState struct {
	Chain
	hash     string // of the last line
	unsealed bool   // the last line was reported as changed: the next one's prev says the same
	key      []byte // under which its lines are sealed
	ended    bool
}

// Verify follows every chain through all files of the log at path. A chain's
// lines are sealed under one of keys, those of the profiles' vaults. It finds
// lines that were changed, removed, added or put elsewhere. It cannot find that a
// whole chain is gone, nor that the last lines of a chain without an end are.
func Verify(path string, keys [][]byte) (Report, error) {
	files, err := Files(path)
	if err != nil {
		return Report{}, err
	}
	var r Report
	chains := make(map[string]*chainState)
	var order []*chainState
	for _, file := range files {
		for l, err := range Read(file) {
			if err != nil {
				return Report{}, err
			}
			r.Lines++
			if !l.Valid() {
				// The torn end of a write that failed, which was written again; a line
				// that was damaged leaves a gap in its chain besides.
				continue
			}
			c := chains[l.Run]
			if c == nil {
				c = &chainState{Chain: Chain{Run: l.Run, First: l}}
				chains[l.Run] = c
				order = append(order, c)
			}
			if reason := c.take(l, keys); reason != "" {
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

// take adds the next line of the chain and says what is wrong with it.
func (c *chainState) take(l Line, keys [][]byte) (reason string) {
	first := c.Last.Run == ""
	switch {
	case first && l.Seq != 1:
		reason = fmt.Sprintf("the %d lines before it are missing", l.Seq-1)
	case first && l.Prev != "":
		reason = "it was changed: the first line of a run follows no other"
	case !first && c.ended:
		reason = "it stands behind the end of its run"
	case !first && l.Seq <= c.Last.Seq:
		reason = "it stands twice, or was put elsewhere"
	case !first && l.Seq > c.Last.Seq+1:
		reason = fmt.Sprintf("the %d lines before it are missing", l.Seq-c.Last.Seq-1)
	case !first && l.Prev != c.hash && !c.unsealed:
		reason = "it or the line before it was changed"
	}
	sealed := c.checkMAC(l, keys)
	if reason == "" {
		reason = sealed
	}
	c.unsealed = sealed != ""
	if first || l.Seq > c.Last.Seq {
		c.Last = l
	}
	sum := sha256.Sum256(l.Raw)
	c.hash = hex.EncodeToString(sum[:])
	c.ended = c.ended || l.Event == End
	return reason
}

func (c *chainState) checkMAC(l Line, keys [][]byte) (reason string) {
	i := bytes.LastIndex(l.Raw, []byte(`,"mac":"`))
	given, err := hex.DecodeString(l.MAC)
	if i < 0 || err != nil || len(given) == 0 {
		return "it is not sealed"
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
	return "it was changed, or is sealed under the key of no profile here"
}
