package loopback

// Args is the command.
func (b *Browser) Args() []string { return b.args }

// Stages gives a channel that is closed when the page is about something else.
func (l *Server) Stages() <-chan struct{} {
	_, changed := l.current()
	return changed
}
