// Package bench holds the benchmarks of sessionhub that need other libraries to
// stand beside it. It is a module of its own, so that they are nobody's
// dependencies. README.md says what each benchmark prints.
package bench
