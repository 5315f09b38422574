package loopback

import "runtime"

// ErrNoBrowser and Sentence are for the tests.
var (
	ErrNoBrowser = errNoBrowser
	Sentence     = sentence
)

// Args returns the command.
func (b *Browser) Args() []string { return b.args }

// StageChanged returns a channel that is closed when the page shows something else.
func (s *Server) StageChanged() <-chan struct{} {
	_, changed := s.currentStage()
	return changed
}

// AwaitWaitingPage returns when a page waits for the next stage.
func (s *Server) AwaitWaitingPage() {
	for {
		s.mu.Lock()
		waiting := s.waiting
		s.mu.Unlock()
		if waiting > 0 {
			return
		}
		runtime.Gosched()
	}
}
