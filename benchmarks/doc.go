// Package benchmarks measures what the chain costs over the bare base: its time, its allocations, and what it keeps in memory.
// Run it with "make bench", which writes README.md in this folder; that page says what each row is.
//
// The module in the folder peers does the same work with other libraries.
package benchmarks
