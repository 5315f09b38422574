package opener

import (
	"context"
	"fmt"
)

// pinOthers runs when connections of one profile got their pins: this is the first
// start of a version that has them. Errors are reported when the profile is used.
func (n *Opener) pinOthers(ctx context.Context) {
	if n.pinned.CompareAndSwap(false, true) {
		n.PinConnections(ctx)
	}
}

// PinConnections stores the pins of the connections of all profiles that an older
// version stored without them; see [providers.Pin]. The definitions belong to the home,
// so this has to be done for all its profiles before one of them changes.
func (n *Opener) PinConnections(ctx context.Context) error {
	n.pinned.Store(true)
	h, err := n.Home()
	if err != nil {
		return err
	}
	names, err := h.Profiles()
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := n.Named(name)
		if err != nil {
			return err
		}
		if !p.hasVault() {
			continue
		}
		if _, err := p.Connections(ctx); err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
	}
	return nil
}
