package routing

import "slices"

// choose returns the binding of the connection named for the run, else of the
// default, else the only one. Otherwise it also returns the names to choose from.
func choose(group []Binding, named string) (Binding, []string) {
	var live []Binding
	for _, b := range group {
		if b.Connection == named {
			return b, nil
		}
		if b.State != Gone {
			live = append(live, b)
		}
	}
	if named != "" {
		return Binding{Provider: group[0].Provider, Connection: named, Definition: group[0].Definition, State: Gone}, nil
	}
	if len(live) == 0 {
		live = group
	}
	for _, b := range live {
		if b.Default {
			return b, nil
		}
	}
	if len(live) == 1 {
		return live[0], nil
	}
	names := make([]string, len(live))
	for i, b := range live {
		names[i] = b.Connection
	}
	slices.Sort(names)
	return live[0], names
}

// preferLive leaves out the connections that were logged out, unless all of them
// were: after a logout from one provider and a login to another for the same host,
// there is nothing to choose.
func preferLive(routes []*route) []*route {
	if len(routes) < 2 {
		return routes
	}
	live := slices.DeleteFunc(slices.Clone(routes), func(r *route) bool { return r.state == Gone })
	if len(live) == 0 {
		return routes
	}
	return live
}

// alternatives lists what the user can choose from, as PROVIDER or
// PROVIDER=CONNECTION, or nil if there is nothing to choose.
func alternatives(best []*route) []string {
	if len(best) == 1 && best[0].choices == nil {
		return nil
	}
	var names []string
	for _, r := range best {
		name := r.definition.Name
		if r.choices == nil {
			names = append(names, name)
		}
		for _, c := range r.choices {
			names = append(names, name+"="+c)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 2 {
		return nil
	}
	return names
}
