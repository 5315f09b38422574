package providers

import (
	"maps"
	"slices"
	"strings"
)

// ForFlow returns the definition as connections of a flow use it: with its entry of
// oauth_by_flow in place of oauth. An empty flow is the usual one. The endpoints of all
// flows stay excluded from the credential.
func (d *Definition) ForFlow(flow string) *Definition {
	if flow == "" && len(d.Flows) > 0 {
		flow = d.Flows[0]
	}
	o := d.OAuthByFlow[flow]
	if o == nil {
		return d
	}
	r := *d
	r.OAuth, r.Verify = o, nil
	return &r
}

// oauthMember is oauth, or an entry of oauth_by_flow.
type oauthMember struct {
	field string
	oauth *OAuth
}

// oauths returns all that the definition says about OAuth.
func (d *Definition) oauths() []oauthMember {
	var all []oauthMember
	if d.OAuth != nil {
		all = append(all, oauthMember{"oauth", d.OAuth})
	}
	for _, flow := range slices.Sorted(maps.Keys(d.OAuthByFlow)) {
		if o := d.OAuthByFlow[flow]; o != nil {
			all = append(all, oauthMember{"oauth_by_flow." + flow, o})
		}
	}
	return all
}

// checkOAuthByFlow checks the entries of oauth_by_flow as checkOAuth checks oauth.
func (d *Definition) checkOAuthByFlow(f *faults) {
	for _, m := range d.oauths() {
		flow, ok := strings.CutPrefix(m.field, "oauth_by_flow.")
		switch {
		case !ok:
			continue
		case flow == FlowAPIKey || !d.HasFlow(flow):
			f.add(m.field, "not one of the flows with OAuth", "add it to flows")
			continue
		}
		own := *d.ForFlow(flow)
		own.Flows, own.OAuthByFlow, own.endpoints = []string{flow}, nil, nil
		var found faults
		own.checkOAuth(&found)
		for _, fault := range found.all {
			f.add(m.field+strings.TrimPrefix(fault.Field, "oauth"), fault.Reason, fault.Hint)
		}
	}
}
