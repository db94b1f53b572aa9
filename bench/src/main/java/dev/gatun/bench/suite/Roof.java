package dev.gatun.bench.suite;

/**
 * What the machine can do at most, on the threads that the rows have: what no row can be better than, unless its numbers
 * stay in the cache.
 *
 * @param flops a second, by multiply-adds that need no memory
 * @param bytes read and written a second, by a copy from memory to memory
 */
public record Roof(double flops, double bytes) {

    /** The shortest time, in nanoseconds, for so much arithmetic and traffic. */
    public double nanos(double flops, double bytes) {
        return 1e9 * Math.max(flops / this.flops, bytes / this.bytes);
    }

    Roof best(Roof other) {
        return new Roof(Math.max(flops, other.flops), Math.max(bytes, other.bytes));
    }
}
