package policy

import (
	"fmt"
	"strings"

	"github.com/steadytrip/steadytrip/classify"
)

// Gate says how the calls on one grant wait together while its token is refreshed: one of them, the probe, asks again and again
// with a profile of its own, and the others wait for what it finds out. When the refresh is over they are sent, first come,
// first served. The zero value is no gate: every call asks for itself.
//
// Which grant a call is about has to be known, from the caller or from the answer; package transport says how.
type Gate struct {
	// Probe has the pauses of the call that asks. Its MaxElapsed bounds the waiting of the others too.
	// Retries 0: no gate.
	Probe Profile

	// Window bounds the requests in flight when those that waited are sent. It should stay below half of what the backend serves
	// within the time that an attempt may take. A call whose wait has lasted for Probe.MaxElapsed when the refresh is over is sent
	// outside of it, and so is one whose request has been under way for a second.
	Window int
}

// Enabled reports whether there is a gate at all.
func (g Gate) Enabled() bool { return g.Probe.Retries > 0 }

// Refresh is what an outcome says about the refresh of a token. The zero value is RefreshUnknown.
type Refresh uint8

const (
	// RefreshUnknown: nothing, such as a lost connection.
	RefreshUnknown Refresh = iota
	// RefreshUnderway: it goes on.
	RefreshUnderway
	// RefreshOver: the grant can be used again, whatever else is wrong with the request.
	RefreshOver
	// RefreshFailed: the grant can no longer be used. That holds for every call on it.
	RefreshFailed
)

// RefreshOf returns what a verdict says about the refresh of its grant's token. A failed refresh is believed
// only if the answer named it by a code.
func RefreshOf(v classify.Verdict) Refresh {
	switch a := v.Action(); {
	case v.Kind.Is(classify.TokenRefreshInProgress):
		return RefreshUnderway
	case !v.Kind.Failure():
		return RefreshOver
	case v.Kind.Is(classify.ReAuthRequired) && v.Basis != classify.Guessed:
		return RefreshFailed
	case a == classify.Retry, a == classify.Wait, a == classify.None, v.Kind.Is(classify.Network), v.Kind.Is(classify.AlterValue):
		return RefreshUnknown
	}
	return RefreshOver
}

func (g Gate) write(w *strings.Builder) {
	if !g.Enabled() {
		w.WriteString("no gate\n")
		return
	}
	fmt.Fprintf(w, "Gate: Window %d\n", g.Window)
}
