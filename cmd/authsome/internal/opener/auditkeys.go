package opener

import (
	"context"
)

// AuditKeys are the keys that lines of the audit log can be sealed under: those of
// every profile's vault, and those that a vault had before it was sealed again. If a
// vault cannot be opened, there is a warning, and its lines count as changed.
func (n *Opener) AuditKeys(ctx context.Context) ([][]byte, error) {
	h, err := n.Home()
	if err != nil {
		return nil, err
	}
	names, err := h.Profiles()
	if err != nil {
		return nil, err
	}
	ctx, cancel := Bounded(ctx)
	defer cancel()
	var keys [][]byte
	for _, name := range names {
		own, err := n.ProfileAuditKeys(ctx, name)
		if err != nil {
			n.o.Warnf("cannot verify the lines of profile %s: %v", name, err)
		}
		keys = append(keys, own...)
	}
	return keys, nil
}

// ProfileAuditKeys are those of one profile, or none if it has no vault yet.
func (n *Opener) ProfileAuditKeys(ctx context.Context, name string) ([][]byte, error) {
	p, err := n.Named(name)
	if err != nil {
		return nil, err
	}
	if !p.hasVault() {
		return nil, nil
	}
	return p.auditKeys(ctx)
}
