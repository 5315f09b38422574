// Package runs lists the runs that serve a home, so that a command can find out that
// one of them started it, whatever its environment says.
//
// Each run has a file in the home's directory runs. Its name is the pid and the start
// time of the run, which keeps it locked for as long as it lives. The list is a guard
// and not a boundary: a process that changes the home's files or hides its ancestors is
// not found. The package supports Linux; on other systems the list is empty. Its
// invariant: an entry is removed only after its run has ended.
//
// From the command of an isolated run, the home and its list are hidden. In the place of
// the home is a directory with [IsolatedFile].
package runs
