package dev.gatun.bindings.cuda;

/**
 * How a kernel is spread: blocks along three axes, threads of a block along one, and dynamic shared memory.
 *
 * @param x blocks along the first axis
 * @param y along the second, at most 65535
 * @param z along the third, at most 65535
 * @param threads of a block, at most 1024
 * @param sharedBytes dynamic shared memory of a block
 */
public record CudaGrid(int x, int y, int z, int threads, int sharedBytes) {

    public CudaGrid {
        if (x < 1 || y < 1 || z < 1 || threads < 1 || y > 65_535 || z > 65_535 || threads > 1024 || sharedBytes < 0) {
            throw new IllegalArgumentException("cuda: no grid of " + x + " x " + y + " x " + z + " blocks of " + threads
                    + " threads with " + sharedBytes + " bytes");
        }
    }

    /** Blocks in a row. */
    public static CudaGrid of(long blocks, int threads) {
        return of(blocks, 1, 1, threads);
    }

    /** Blocks along three axes. */
    public static CudaGrid of(long x, long y, long z, int threads) {
        return new CudaGrid(Math.toIntExact(x), Math.toIntExact(y), Math.toIntExact(z), threads, 0);
    }

    /** The same with dynamic shared memory. */
    public CudaGrid shared(int bytes) {
        return new CudaGrid(x, y, z, threads, bytes);
    }
}
