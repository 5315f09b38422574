package audit

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Report is what [Verify] found.
type Report struct {
	Lines    int
	Chains   int
	Open     []Chain   // chains without an end: still being written, killed, or truncated
	Cut      []Chain   // chains whose first lines were in archives that the log has deleted
	Unsealed int       // lines before the first chain: those of a Python authsome, which nothing protects
	Torn     []Place   // ends of interrupted writes
	Problems []Problem // in the order of the lines
}

// Chain is the part of a run that is in the log.
type Chain struct {
	Run   string
	First Line
	Last  Line
}

// Problem is a line that was modified or moved, that follows a gap, or that this
// package did not write.
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

	mayBeCut bool // the first line says how its predecessors can be missing
}

// verifier is the state of Verify.
type verifier struct {
	keys    [][]byte
	report  Report
	chains  map[string]*chainState
	order   []*chainState
	deleted string // the newest archive that the log has deleted, by a line with a valid MAC
	first   Place  // of the unsealed lines
}

// Verify checks every chain in all files of the log at path. Each chain must be
// authenticated by one of keys, the keys of the profiles' vaults. Verify finds lines
// that were modified, removed, added or moved. It cannot find that a whole chain was
// removed, or the last lines of a chain without an end, and it knows nothing about
// lines before the first chain.
func Verify(path string, keys [][]byte) (Report, error) {
	files, err := logFiles(path)
	if err != nil {
		return Report{}, err
	}
	v := verifier{keys: keys, chains: make(map[string]*chainState)}
	for _, file := range files {
		for l, err := range readLines(file) {
			if err != nil {
				return Report{}, err
			}
			v.add(l)
		}
	}
	return v.finish(), nil
}

func (v *verifier) add(l Line) {
	v.report.Lines++
	switch {
	case l.valid():
		v.addToChain(l)
	case len(v.order) == 0:
		if v.report.Unsealed++; v.report.Unsealed == 1 {
			v.first = l.Where
		}
	case torn(l.Raw):
		v.report.Torn = append(v.report.Torn, l.Where)
	default:
		v.report.Problems = append(v.report.Problems, Problem{Where: l.Where, Reason: "has no seal: it is not a line of a run"})
	}
}

func (v *verifier) addToChain(l Line) {
	c := v.chains[l.Run]
	if c == nil {
		c = &chainState{Chain: Chain{Run: l.Run, First: l}}
		v.chains[l.Run] = c
		v.order = append(v.order, c)
	}
	reason := c.add(l, v.keys)
	if reason != "" {
		v.report.Problems = append(v.report.Problems, Problem{l.Where, l.Run, l.Seq, reason})
	}
	if l.Event == Retention && !c.badMAC {
		v.deleted = max(v.deleted, l.Deleted)
	}
}

// finish decides what the whole log shows.
func (v *verifier) finish() Report {
	r := v.report
	r.Chains = len(v.order)
	for _, c := range v.order {
		if !c.ended {
			r.Open = append(r.Open, c.Chain)
		}
		if c.mayBeCut && (c.First.Archived == noArchive && v.deleted != "" || c.First.Archived < v.deleted) {
			r.Cut = append(r.Cut, c.Chain)
			r.Problems = slices.DeleteFunc(r.Problems, func(p Problem) bool { return p.Where == c.First.Where })
		}
	}
	if v.deleted != "" && r.Unsealed > 0 {
		// A Python home's lines were in the first file, and that is gone.
		r.Problems = slices.Insert(r.Problems, 0, Problem{Where: v.first, Reason: "has no seal, and the log has deleted its beginning"})
	}
	return r
}

// torn reports whether text can be the end of an interrupted write: it is only the
// beginning of a line. After a loss of power, it can end in NUL.
func torn(text []byte) bool {
	const begin = `{"time":"`
	text = bytes.TrimRight(text, "\x00")
	complete := jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return len(text) < maxLine-1 && !complete && (bytes.HasPrefix(text, []byte(begin)) || strings.HasPrefix(begin, string(text)))
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
	c.mayBeCut = c.mayBeCut || first && l.Seq > 1 && l.Archived != "" && !c.badMAC
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
