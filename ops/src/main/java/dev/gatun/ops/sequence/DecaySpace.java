package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecaySteps.BLOCK;
import static dev.gatun.ops.sequence.DecaySteps.ROW;
import static dev.gatun.ops.sequence.DecaySteps.SIDE;

import dev.gatun.engine.Args;
import dev.gatun.ops.sequence.DecayTiles.Head;
import java.lang.foreign.MemorySegment;

/**
 * Scratch memory of a kernel of sums that fade, with the products and copies all of them share. A matrix has a row for each step
 * of a chunk and lies in blocks of 64 columns, {@link DecaySteps#BLOCK} apart; a state has a row for each of its K (or V) rows, so
 * that its blocks are {@link #tall} apart. Matrices are named by the place of their first number.
 */
final class DecaySpace {

    /** Steps in a chunk. Fewer make products inside a chunk cheaper, more save handling of the state; 32 is a guess between, not yet measured against 16 and 64. */
    static final int CHUNK = 32;

    final AttentionSteps products;
    final DecaySteps steps;
    private long size;
    private MemorySegment s;

    DecaySpace(DecayForms forms) {
        this.products = forms.products();
        this.steps = forms.steps();
    }

    // ---- layout ----

    /** Room for a matrix of chunk rows. */
    long matrix(int width) {
        return take(blocks(width) * BLOCK);
    }

    /** Room for a state. */
    long state(int rows, int columns) {
        return take(stateBytes(rows, columns));
    }

    /** Room for a number a step; one more is read behind them. */
    long row() {
        return take(2 * ROW);
    }

    /** Room for so many numbers, and the rest of a vector. */
    long numbers(int count) {
        return take((blocks(count) + 1) * ROW);
    }

    private long take(long bytes) {
        long at = size;
        size += bytes;
        return at;
    }

    /** To be called when all room is taken. */
    MemorySegment open(Args a) {
        s = a.scratch(size);
        return s;
    }

    /** The memory, once it is open. */
    MemorySegment memory() {
        return s;
    }

    static long blocks(int width) {
        return (width + SIDE - 1) / SIDE;
    }

    /** Bytes from one block of columns of a state to the next. */
    static long tall(int rows) {
        return blocks(rows) * BLOCK;
    }

    static long stateBytes(int rows, int columns) {
        return tall(rows) * blocks(columns);
    }

    private static long column(int d, long block) {
        return d / SIDE * block + d % SIDE * 4L;
    }

    // ---- products ----

    /** {@code c[rows, width] = a[rows, n] b[n, width]}, b a state or, with n steps, a matrix. */
    void times(long a, long b, long bBlock, long c, int rows, int width, int n) {
        int strip = products.strip();
        for (int d = 0; d < width; d += strip) {
            for (int r = 0; r < rows; r += 8) {
                products.rows(s, a + r * ROW, b + column(d, bBlock), c + column(d, BLOCK) + r * ROW, n);
            }
        }
    }

    /** The tile {@code c[i, t] = <a_i, b_t>} where {@code i <= t}, with b turned. */
    void tile(long a, long turned, long c, int n, int width) {
        int strip = products.strip();
        for (int t = 0; t < n; t += strip) {
            for (int i = 0; i < Math.min(n, t + strip); i += 8) {
                products.rows(s, a + i * ROW, turned + t * 4L, c + i * ROW + t * 4L, width);
            }
        }
    }

    /** {@code c[t] += sum over i <= t of tile[i, t] x[i]}. */
    void read(long tile, long x, long c, int n, int width) {
        int strip = products.strip();
        for (int d = 0; d < width; d += strip) {
            for (int t = 0; t < n; t += 8) {
                products.columns(s, tile + t * 4L, x + column(d, BLOCK), c + column(d, BLOCK) + t * ROW, Math.min(t + 8, n));
            }
        }
    }

    /** {@code c[i] = sum over t >= i of tile[i, t] x[t]}. */
    void reach(long tile, long x, long c, int n, int width) {
        int strip = products.strip();
        for (int d = 0; d < width; d += strip) {
            for (int i = 0; i < n; i += 8) {
                products.rows(s, tile + i * ROW + i * 4L, x + column(d, BLOCK) + i * ROW, c + column(d, BLOCK) + i * ROW, n - i);
            }
        }
    }

    /** {@code state[rows, columns] += a[n, rows]ᵀ b[n, columns]}. */
    void write(long a, long b, long state, int rows, int columns, int n) {
        int strip = products.strip();
        long tall = tall(rows);
        for (int d = 0; d < columns; d += strip) {
            for (int r = 0; r < rows; r += 8) {
                products.columns(s, a + column(r, BLOCK), b + column(d, BLOCK), state + column(d, tall) + r * ROW, n);
            }
        }
    }

    // ---- states ----

    /** {@code state *= keep}, a number for each row. */
    void fadeState(long state, long keep, int rows, int columns) {
        for (int d = 0; d < columns; d += SIDE) {
            products.fade(s, state + column(d, tall(rows)), keep, rows, Math.min(SIDE, columns - d));
        }
    }

    /** A state from memory without gaps; what is beyond its size is 0. */
    void load(MemorySegment x, long at, int rows, int columns, long state) {
        products.fill(s, state, (int) (stateBytes(rows, columns) / 4), 0);
        for (int d = 0; d < columns; d += SIDE) {
            products.pack(x, at + d * 4L, columns * 4L, rows, Math.min(SIDE, columns - d), s, state + column(d, tall(rows)));
        }
    }

    /** A state to memory without gaps. */
    void store(long state, int rows, int columns, MemorySegment x, long at) {
        for (int d = 0; d < columns; d += SIDE) {
            for (int r = 0; r < rows; r++) {
                products.unpack(s, state + column(d, tall(rows)) + r * ROW, 1, Math.min(SIDE, columns - d), x, at + ((long) r * columns + d) * 4);
            }
        }
    }

    /** {@code to[columns, rows] = state[rows, columns]}. Blocks are turned whole, so that what is beyond the size is 0 again. */
    void turnState(long state, int rows, int columns, long to) {
        for (int d = 0; d < columns; d += SIDE) {
            for (int r = 0; r < rows; r += SIDE) {
                steps.turn(s, state + column(d, tall(rows)) + r * ROW, Math.min(SIDE, rows - r), Math.min(SIDE, columns - d),
                        to + column(r, tall(columns)) + d * ROW);
            }
        }
    }

    /** The sum of products of two states' numbers. */
    double product(long a, long b, int rows, int columns, long lanes) {
        double sum = 0;
        for (int d = 0; d < columns; d += SIDE) {
            products.dots(s, a + column(d, tall(rows)), b + column(d, tall(rows)), rows, lanes);
            for (int i = 0; i < Math.min(SIDE, columns - d); i++) {
                sum += get(lanes, i);
            }
        }
        return sum;
    }

    // ---- matrices ----

    /** Steps t to t + n of a head into a matrix. */
    void fetch(Head from, long t, int n, long matrix) {
        products.pack(from.at(), from.row(t), from.rowBytes(), n, from.width(), s, matrix);
    }

    /** Rows of a matrix, times a factor, out to steps t to t + n of a head. */
    void put(long matrix, float factor, Head to, long t, int n) {
        for (int r = 0; r < n; r++) {
            products.unpack(s, matrix + r * ROW, factor, to.width(), to.at(), to.row(t + r));
        }
    }

    /** {@code to[d, r] = x[r, d]}: a matrix of n rows as one with a row for each of its columns. */
    void turn(long x, int n, int width, long to) {
        for (int d = 0; d < width; d += SIDE) {
            steps.turn(s, x + column(d, BLOCK), n, Math.min(SIDE, width - d), to + d * ROW);
        }
    }

    float get(long row, int i) {
        return s.get(AttentionSteps.F, row + i * 4L);
    }

    void set(long row, int i, float x) {
        s.set(AttentionSteps.F, row + i * 4L, x);
    }

    /** n numbers become x. */
    void fill(long row, int n, float x) {
        for (int i = 0; i < n; i++) {
            set(row, i, x);
        }
    }

    /** The numbers on a tile's diagonal go to a row, and zeros take their place. */
    void takeDiagonal(long tile, int n, long to) {
        for (int i = 0; i < n; i++) {
            set(to, i, get(tile + i * ROW, i));
            set(tile + i * ROW, i, 0);
        }
    }
}
