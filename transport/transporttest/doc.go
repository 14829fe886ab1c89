// Package transporttest has what tests of HTTP clients need in place of the other side: a scripted [http.RoundTripper],
// bodies that remember what was done to them, the answers that the Alter backend gives, and a loopback server
// that behaves like it.
//
// # Without sockets
//
// A [Script] plays one step for each request, and remembers every request:
//
//	script := transporttest.Play(
//		transporttest.Fail(transporttest.ErrReset),
//		transporttest.Canned("token_refresh_in_progress"),
//		transporttest.After(20*time.Millisecond, transporttest.Answer(200, `{"ok":true}`)),
//	)
//	client := &http.Client{Transport: underTest(script)}
//	...
//	if err := script.Check(); err != nil { t.Error(err) } // a step not played, a body not closed
//
// Scripts and bodies wait on timers and channels only, so they work inside a testing/synctest bubble,
// where waiting takes no time. A step is any http.RoundTripper; [Response], which [Answer] and [Canned] return,
// is also an [http.Handler].
//
// # On loopback
//
// A [Backend] listens on 127.0.0.1, with a third-party API, its Provider, on a second port:
//
//	backend := transporttest.NewBackend()
//	defer backend.Close()
//	backend.SetGrant("grant-1", transporttest.Active)
//	backend.HoldRefresh("grant-1", 300*time.Millisecond)
//	backend.FailNext(transporttest.Reset, 1)
//	resp, err := client.Get(backend.URL + "/v1/grants/grant-1/calendar")
//
// Its clock is the real one, since sockets do not work inside a bubble. A [Server] alone puts the same network faults
// before any handler.
//
// # What is known of Alter
//
// Alter does not publish its routes, nor most of its codes and statuses. The routes here are this package's own.
// The codes are those of [classify.Codes], which says which of them are documented; see [Canned] for the statuses.
package transporttest
