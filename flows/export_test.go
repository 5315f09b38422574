package flows

// Args is the command.
func (b *Browser) Args() []string { return b.args }
