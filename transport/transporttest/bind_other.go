//go:build !unix || aix

package transporttest

// bind does nothing here: the port is merely likely to be free later on.
func bind(string) (unbind func()) { return nil }
