package remote

import (
	"bytes"
	"errors"
)

// Answer is what a command printed, and where it ran.
type Answer struct {
	Home     string `json:"home"`
	Profile  string `json:"profile"`
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
	ExitCode int    `json:"exit_code"`
}

// document is an answer as it is sent.
type document struct {
	Program string `json:"program"` // [program], so that a client knows who answers
	Error   string `json:"error,omitempty"`
	*Answer
}

const program = "authsome"

// maxOutput limits what a command prints to one stream, in bytes.
const maxOutput = 1 << 20

// maxDocument limits an answer, in bytes. JSON needs up to six bytes for one of text.
const maxDocument = 2*6*maxOutput + 4<<10

var errTooLong = errors.New("the command prints too much")

// Output collects what a command prints to one stream. It has the width of the client's
// terminal; see package show. It is not safe for concurrent use.
type Output struct {
	text  bytes.Buffer
	width int
	full  bool
}

// Output returns a stream for the command.
func (c Call) Output() *Output { return &Output{width: c.Width} }

// Columns is the width of the client's terminal, or 0.
func (o *Output) Columns() int { return o.width }

// Write never fails. What is more than an answer can have is left out, and the client
// gets an error.
func (o *Output) Write(p []byte) (int, error) {
	if o.text.Len()+len(p) > maxOutput {
		o.full = true
		return len(p), nil
	}
	return o.text.Write(p)
}

// Answer makes an answer of what a command printed.
func (c Call) Answer(stdout, stderr *Output, code int) (Answer, error) {
	if stdout.full || stderr.full {
		return Answer{}, errTooLong
	}
	return Answer{Stdout: stdout.text.String(), Stderr: stderr.text.String(), ExitCode: code}, nil
}
