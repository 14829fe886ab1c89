// Package peers does the same work with steadytrip and with other libraries, to compare what it costs. It is a module of its own so
// that none of them becomes a dependency of anything else. Run it with "make bench".
package peers
