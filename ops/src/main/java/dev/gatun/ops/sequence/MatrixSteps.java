package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import dev.gatun.engine.lanes.Transposer;
import dev.gatun.engine.lanes.Transposers;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products and turns of small matrices of F32 in a thread's scratch memory, written twice: {@link Fast} for the Vector API and
 * {@link #PLAIN} without it. Rows and columns are padded with zeros to multiples of {@link #PAD}, so that tiles have no edges;
 * positions and distances are in bytes.
 */
interface MatrixSteps {

    ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** What sizes are padded to: the widest vector. */
    int PAD = 16;

    /** The plain loops. */
    MatrixSteps PLAIN = new Plain();

    /**
     * {@code c = scale a b}, or that added to c: m rows, n columns (both padded), a sum over k. Rows and inner neighbours of a may
     * lie any distance apart, which makes a transposed matrix as good as a plain one.
     */
    void product(MemorySegment s, long a, long aRow, long aInner, long b, long bRow, long c, long cRow, int m, int n, int k,
            float scale, boolean adds);

    /** {@code to = fromᵀ} for padded sizes. */
    void transpose(MemorySegment s, long from, long fromRow, long to, long toRow, int rows, int columns);

    /** {@code c[i, j] = a[i, j] by[j]}, or that added; rows of all three lie equally far apart, columns are padded. */
    void scaleColumns(MemorySegment s, long a, long by, long c, long row, int rows, int columns, boolean adds);

    /** {@code sums[j] += sum over i of a[i, j] b[i, j]}. */
    void addDots(MemorySegment s, long a, long b, long sums, long row, int rows, int columns);

    /** Loops over single rows. */
    RowSteps rows();

    /** A size with its padding. */
    static int padded(long n) {
        return (int) ((n + PAD - 1) / PAD * PAD);
    }

    /** Distance of rows of so many floats; not a multiple of 512, or the rows of a column would share a few sets of the cache. */
    static long rowBytes(int columns) {
        long bytes = columns * 4L;
        return bytes % 512 == 0 ? bytes + 64 : bytes;
    }

    /** {@code a = x xᵀ} from x and its transpose. */
    default void gram(MemorySegment s, long x, long xRow, long turned, long turnedRow, long a, long aRow, int r, int k) {
        mirrored(s, x, xRow, turned, turnedRow, a, aRow, r, k, 1, false);
    }

    /**
     * {@code c = scale a b}, or that added to a symmetric c, where the product is symmetric, as that of commuting symmetric matrices is:
     * strips of columns down to the diagonal, the rest mirrored.
     */
    default void mirrored(MemorySegment s, long a, long aRow, long b, long bRow, long c, long cRow, int r, int k, float scale, boolean adds) {
        int strip = 2 * PAD;
        for (int j = 0; j < r; j += strip) {
            int n = Math.min(strip, r - j);
            product(s, a, aRow, 4, b + j * 4L, bRow, c + j * 4L, cRow, j + n, n, k, scale, adds);
            if (j > 0) {
                transpose(s, c + j * 4L, cRow, c + j * cRow, cRow, j, n);
            }
        }
    }

    /** {@code x -= scale (v · x) v} for each of so many rows, a multiple of 4. */
    void reflect(MemorySegment s, long v, float scale, long x, long row, int rows, int columns);

    /** Vector API. Steps that are rounded once only; accumulators are operands of sums and not receivers. */
    final class Fast implements MatrixSteps {

        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long W = S.vectorByteSize();
        private static final Transposer TURN = Transposers.transposer(true);
        private static final VectorShuffle<Float> HALF = VectorShuffle.iota(S, L / 2, 1, true);
        private static final VectorShuffle<Float> QUARTER = VectorShuffle.iota(S, L / 4, 1, true);
        private static final VectorShuffle<Float> EIGHTH = VectorShuffle.iota(S, L / 8, 1, true);
        private static final VectorShuffle<Float> SIXTEENTH = VectorShuffle.iota(S, L / 16, 1, true);

        @Override
        public RowSteps rows() {
            return VectorRows.STEPS;
        }

        @Override
        public void transpose(MemorySegment s, long from, long fromRow, long to, long toRow, int rows, int columns) {
            for (int j = 0; j < columns; j += L) {
                TURN.run(s, from + j * 4L, fromRow, L * fromRow, s, to + j * toRow, toRow, W, rows / L);
            }
        }

        @Override
        public void scaleColumns(MemorySegment s, long a, long by, long c, long row, int rows, int columns, boolean adds) {
            for (int j = 0; j < columns; j += L) {
                FloatVector factor = FloatVector.fromMemorySegment(S, s, by + j * 4L, NATIVE);
                for (int i = 0; i < rows; i++) {
                    long at = i * row + j * 4L;
                    FloatVector x = FloatVector.fromMemorySegment(S, s, a + at, NATIVE);
                    FloatVector y = adds ? factor.fma(x, FloatVector.fromMemorySegment(S, s, c + at, NATIVE)) : factor.mul(x);
                    y.intoMemorySegment(s, c + at, NATIVE);
                }
            }
        }

        @Override
        public void addDots(MemorySegment s, long a, long b, long sums, long row, int rows, int columns) {
            for (int j = 0; j < columns; j += L) {
                FloatVector s0 = FloatVector.fromMemorySegment(S, s, sums + j * 4L, NATIVE), s1 = FloatVector.zero(S);
                FloatVector s2 = FloatVector.zero(S), s3 = FloatVector.zero(S);
                for (int i = 0; i < rows; i += 4) {
                    long x = a + i * row + j * 4L;
                    long y = b + i * row + j * 4L;
                    s0 = FloatVector.fromMemorySegment(S, s, x, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y, NATIVE), s0);
                    s1 = FloatVector.fromMemorySegment(S, s, x + row, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + row, NATIVE), s1);
                    s2 = FloatVector.fromMemorySegment(S, s, x + 2 * row, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + 2 * row, NATIVE), s2);
                    s3 = FloatVector.fromMemorySegment(S, s, x + 3 * row, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + 3 * row, NATIVE), s3);
                }
                s0.add(s1).add(s2.add(s3)).intoMemorySegment(s, sums + j * 4L, NATIVE);
            }
        }

        @Override
        public void reflect(MemorySegment s, long v, float scale, long x, long row, int rows, int columns) {
            for (int i = 0; i < rows; i += 4) {
                reflect(s, v, scale, x + i * row, row, columns);
            }
        }

        /** Four rows. */
        private static void reflect(MemorySegment s, long v, float scale, long x, long row, int columns) {
            FloatVector s0 = FloatVector.zero(S), s1 = FloatVector.zero(S), s2 = FloatVector.zero(S), s3 = FloatVector.zero(S);
            for (int j = 0; j < columns; j += L) {
                FloatVector by = FloatVector.fromMemorySegment(S, s, v + j * 4L, NATIVE);
                long at = x + j * 4L;
                s0 = by.fma(FloatVector.fromMemorySegment(S, s, at, NATIVE), s0);
                s1 = by.fma(FloatVector.fromMemorySegment(S, s, at + row, NATIVE), s1);
                s2 = by.fma(FloatVector.fromMemorySegment(S, s, at + 2 * row, NATIVE), s2);
                s3 = by.fma(FloatVector.fromMemorySegment(S, s, at + 3 * row, NATIVE), s3);
            }
            // every lane becomes the sum
            s0 = s0.rearrange(HALF).add(s0);
            s1 = s1.rearrange(HALF).add(s1);
            s2 = s2.rearrange(HALF).add(s2);
            s3 = s3.rearrange(HALF).add(s3);
            s0 = s0.rearrange(QUARTER).add(s0);
            s1 = s1.rearrange(QUARTER).add(s1);
            s2 = s2.rearrange(QUARTER).add(s2);
            s3 = s3.rearrange(QUARTER).add(s3);
            s0 = L < 8 ? s0 : s0.rearrange(EIGHTH).add(s0);
            s1 = L < 8 ? s1 : s1.rearrange(EIGHTH).add(s1);
            s2 = L < 8 ? s2 : s2.rearrange(EIGHTH).add(s2);
            s3 = L < 8 ? s3 : s3.rearrange(EIGHTH).add(s3);
            s0 = L < 16 ? s0 : s0.rearrange(SIXTEENTH).add(s0);
            s1 = L < 16 ? s1 : s1.rearrange(SIXTEENTH).add(s1);
            s2 = L < 16 ? s2 : s2.rearrange(SIXTEENTH).add(s2);
            s3 = L < 16 ? s3 : s3.rearrange(SIXTEENTH).add(s3);
            s0 = s0.mul(-scale);
            s1 = s1.mul(-scale);
            s2 = s2.mul(-scale);
            s3 = s3.mul(-scale);
            for (int j = 0; j < columns; j += L) {
                FloatVector by = FloatVector.fromMemorySegment(S, s, v + j * 4L, NATIVE);
                long at = x + j * 4L;
                by.fma(s0, FloatVector.fromMemorySegment(S, s, at, NATIVE)).intoMemorySegment(s, at, NATIVE);
                by.fma(s1, FloatVector.fromMemorySegment(S, s, at + row, NATIVE)).intoMemorySegment(s, at + row, NATIVE);
                by.fma(s2, FloatVector.fromMemorySegment(S, s, at + 2 * row, NATIVE)).intoMemorySegment(s, at + 2 * row, NATIVE);
                by.fma(s3, FloatVector.fromMemorySegment(S, s, at + 3 * row, NATIVE)).intoMemorySegment(s, at + 3 * row, NATIVE);
            }
        }

        @Override
        public void product(MemorySegment s, long a, long aRow, long aInner, long b, long bRow, long c, long cRow, int m, int n, int k,
                float scale, boolean adds) {
            int j = 0;
            for (; j + 2 * L <= n; j += 2 * L) {
                for (int i = 0; i < m; i += 8) {
                    wide(s, a + i * aRow, aRow, aInner, b + j * 4L, bRow, c + i * cRow + j * 4L, cRow, k, scale, adds);
                }
            }
            for (; j < n; j += L) {
                for (int i = 0; i < m; i += 8) {
                    narrow(s, a + i * aRow, aRow, aInner, b + j * 4L, bRow, c + i * cRow + j * 4L, cRow, k, scale, adds);
                }
            }
        }

        /** Eight rows of two vectors. */
        private static void wide(MemorySegment s, long a, long aRow, long aInner, long b, long bRow, long c, long cRow, int k, float scale,
                boolean adds) {
            FloatVector c00 = FloatVector.zero(S), c01 = FloatVector.zero(S);
            FloatVector c10 = FloatVector.zero(S), c11 = FloatVector.zero(S);
            FloatVector c20 = FloatVector.zero(S), c21 = FloatVector.zero(S);
            FloatVector c30 = FloatVector.zero(S), c31 = FloatVector.zero(S);
            FloatVector c40 = FloatVector.zero(S), c41 = FloatVector.zero(S);
            FloatVector c50 = FloatVector.zero(S), c51 = FloatVector.zero(S);
            FloatVector c60 = FloatVector.zero(S), c61 = FloatVector.zero(S);
            FloatVector c70 = FloatVector.zero(S), c71 = FloatVector.zero(S);
            for (int t = 0; t < k; t++) {
                long at = b + t * bRow;
                FloatVector b0 = FloatVector.fromMemorySegment(S, s, at, NATIVE);
                FloatVector b1 = FloatVector.fromMemorySegment(S, s, at + W, NATIVE);
                long by = a + t * aInner;
                FloatVector a0 = FloatVector.broadcast(S, s.get(F, by));
                c00 = a0.fma(b0, c00);
                c01 = a0.fma(b1, c01);
                FloatVector a1 = FloatVector.broadcast(S, s.get(F, by + aRow));
                c10 = a1.fma(b0, c10);
                c11 = a1.fma(b1, c11);
                FloatVector a2 = FloatVector.broadcast(S, s.get(F, by + 2 * aRow));
                c20 = a2.fma(b0, c20);
                c21 = a2.fma(b1, c21);
                FloatVector a3 = FloatVector.broadcast(S, s.get(F, by + 3 * aRow));
                c30 = a3.fma(b0, c30);
                c31 = a3.fma(b1, c31);
                FloatVector a4 = FloatVector.broadcast(S, s.get(F, by + 4 * aRow));
                c40 = a4.fma(b0, c40);
                c41 = a4.fma(b1, c41);
                FloatVector a5 = FloatVector.broadcast(S, s.get(F, by + 5 * aRow));
                c50 = a5.fma(b0, c50);
                c51 = a5.fma(b1, c51);
                FloatVector a6 = FloatVector.broadcast(S, s.get(F, by + 6 * aRow));
                c60 = a6.fma(b0, c60);
                c61 = a6.fma(b1, c61);
                FloatVector a7 = FloatVector.broadcast(S, s.get(F, by + 7 * aRow));
                c70 = a7.fma(b0, c70);
                c71 = a7.fma(b1, c71);
            }
            FloatVector by = FloatVector.broadcast(S, scale);
            if (adds) {
                c00 = by.fma(c00, FloatVector.fromMemorySegment(S, s, c, NATIVE));
                c01 = by.fma(c01, FloatVector.fromMemorySegment(S, s, c + W, NATIVE));
                c10 = by.fma(c10, FloatVector.fromMemorySegment(S, s, c + cRow, NATIVE));
                c11 = by.fma(c11, FloatVector.fromMemorySegment(S, s, c + cRow + W, NATIVE));
                c20 = by.fma(c20, FloatVector.fromMemorySegment(S, s, c + 2 * cRow, NATIVE));
                c21 = by.fma(c21, FloatVector.fromMemorySegment(S, s, c + 2 * cRow + W, NATIVE));
                c30 = by.fma(c30, FloatVector.fromMemorySegment(S, s, c + 3 * cRow, NATIVE));
                c31 = by.fma(c31, FloatVector.fromMemorySegment(S, s, c + 3 * cRow + W, NATIVE));
                c40 = by.fma(c40, FloatVector.fromMemorySegment(S, s, c + 4 * cRow, NATIVE));
                c41 = by.fma(c41, FloatVector.fromMemorySegment(S, s, c + 4 * cRow + W, NATIVE));
                c50 = by.fma(c50, FloatVector.fromMemorySegment(S, s, c + 5 * cRow, NATIVE));
                c51 = by.fma(c51, FloatVector.fromMemorySegment(S, s, c + 5 * cRow + W, NATIVE));
                c60 = by.fma(c60, FloatVector.fromMemorySegment(S, s, c + 6 * cRow, NATIVE));
                c61 = by.fma(c61, FloatVector.fromMemorySegment(S, s, c + 6 * cRow + W, NATIVE));
                c70 = by.fma(c70, FloatVector.fromMemorySegment(S, s, c + 7 * cRow, NATIVE));
                c71 = by.fma(c71, FloatVector.fromMemorySegment(S, s, c + 7 * cRow + W, NATIVE));
            } else {
                c00 = by.mul(c00);
                c01 = by.mul(c01);
                c10 = by.mul(c10);
                c11 = by.mul(c11);
                c20 = by.mul(c20);
                c21 = by.mul(c21);
                c30 = by.mul(c30);
                c31 = by.mul(c31);
                c40 = by.mul(c40);
                c41 = by.mul(c41);
                c50 = by.mul(c50);
                c51 = by.mul(c51);
                c60 = by.mul(c60);
                c61 = by.mul(c61);
                c70 = by.mul(c70);
                c71 = by.mul(c71);
            }
            c00.intoMemorySegment(s, c, NATIVE);
            c01.intoMemorySegment(s, c + W, NATIVE);
            c10.intoMemorySegment(s, c + cRow, NATIVE);
            c11.intoMemorySegment(s, c + cRow + W, NATIVE);
            c20.intoMemorySegment(s, c + 2 * cRow, NATIVE);
            c21.intoMemorySegment(s, c + 2 * cRow + W, NATIVE);
            c30.intoMemorySegment(s, c + 3 * cRow, NATIVE);
            c31.intoMemorySegment(s, c + 3 * cRow + W, NATIVE);
            c40.intoMemorySegment(s, c + 4 * cRow, NATIVE);
            c41.intoMemorySegment(s, c + 4 * cRow + W, NATIVE);
            c50.intoMemorySegment(s, c + 5 * cRow, NATIVE);
            c51.intoMemorySegment(s, c + 5 * cRow + W, NATIVE);
            c60.intoMemorySegment(s, c + 6 * cRow, NATIVE);
            c61.intoMemorySegment(s, c + 6 * cRow + W, NATIVE);
            c70.intoMemorySegment(s, c + 7 * cRow, NATIVE);
            c71.intoMemorySegment(s, c + 7 * cRow + W, NATIVE);
        }

        /** Eight rows of one vector. */
        private static void narrow(MemorySegment s, long a, long aRow, long aInner, long b, long bRow, long c, long cRow, int k, float scale,
                boolean adds) {
            FloatVector c0 = FloatVector.zero(S), c1 = FloatVector.zero(S), c2 = FloatVector.zero(S), c3 = FloatVector.zero(S);
            FloatVector c4 = FloatVector.zero(S), c5 = FloatVector.zero(S), c6 = FloatVector.zero(S), c7 = FloatVector.zero(S);
            for (int t = 0; t < k; t++) {
                FloatVector b0 = FloatVector.fromMemorySegment(S, s, b + t * bRow, NATIVE);
                long by = a + t * aInner;
                c0 = FloatVector.broadcast(S, s.get(F, by)).fma(b0, c0);
                c1 = FloatVector.broadcast(S, s.get(F, by + aRow)).fma(b0, c1);
                c2 = FloatVector.broadcast(S, s.get(F, by + 2 * aRow)).fma(b0, c2);
                c3 = FloatVector.broadcast(S, s.get(F, by + 3 * aRow)).fma(b0, c3);
                c4 = FloatVector.broadcast(S, s.get(F, by + 4 * aRow)).fma(b0, c4);
                c5 = FloatVector.broadcast(S, s.get(F, by + 5 * aRow)).fma(b0, c5);
                c6 = FloatVector.broadcast(S, s.get(F, by + 6 * aRow)).fma(b0, c6);
                c7 = FloatVector.broadcast(S, s.get(F, by + 7 * aRow)).fma(b0, c7);
            }
            FloatVector by = FloatVector.broadcast(S, scale);
            if (adds) {
                c0 = by.fma(c0, FloatVector.fromMemorySegment(S, s, c, NATIVE));
                c1 = by.fma(c1, FloatVector.fromMemorySegment(S, s, c + cRow, NATIVE));
                c2 = by.fma(c2, FloatVector.fromMemorySegment(S, s, c + 2 * cRow, NATIVE));
                c3 = by.fma(c3, FloatVector.fromMemorySegment(S, s, c + 3 * cRow, NATIVE));
                c4 = by.fma(c4, FloatVector.fromMemorySegment(S, s, c + 4 * cRow, NATIVE));
                c5 = by.fma(c5, FloatVector.fromMemorySegment(S, s, c + 5 * cRow, NATIVE));
                c6 = by.fma(c6, FloatVector.fromMemorySegment(S, s, c + 6 * cRow, NATIVE));
                c7 = by.fma(c7, FloatVector.fromMemorySegment(S, s, c + 7 * cRow, NATIVE));
            } else {
                c0 = by.mul(c0);
                c1 = by.mul(c1);
                c2 = by.mul(c2);
                c3 = by.mul(c3);
                c4 = by.mul(c4);
                c5 = by.mul(c5);
                c6 = by.mul(c6);
                c7 = by.mul(c7);
            }
            c0.intoMemorySegment(s, c, NATIVE);
            c1.intoMemorySegment(s, c + cRow, NATIVE);
            c2.intoMemorySegment(s, c + 2 * cRow, NATIVE);
            c3.intoMemorySegment(s, c + 3 * cRow, NATIVE);
            c4.intoMemorySegment(s, c + 4 * cRow, NATIVE);
            c5.intoMemorySegment(s, c + 5 * cRow, NATIVE);
            c6.intoMemorySegment(s, c + 6 * cRow, NATIVE);
            c7.intoMemorySegment(s, c + 7 * cRow, NATIVE);
        }
    }

    /** Plain loops, with the products' sums in the same order. */
    final class Plain implements MatrixSteps {

        @Override
        public void scaleColumns(MemorySegment s, long a, long by, long c, long row, int rows, int columns, boolean adds) {
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    long at = i * row + j * 4L;
                    float x = s.get(F, by + j * 4L);
                    s.set(F, c + at, adds ? Math.fma(x, s.get(F, a + at), s.get(F, c + at)) : x * s.get(F, a + at));
                }
            }
        }

        @Override
        public void addDots(MemorySegment s, long a, long b, long sums, long row, int rows, int columns) {
            for (int j = 0; j < columns; j++) {
                float sum = s.get(F, sums + j * 4L);
                for (int i = 0; i < rows; i++) {
                    sum = Math.fma(s.get(F, a + i * row + j * 4L), s.get(F, b + i * row + j * 4L), sum);
                }
                s.set(F, sums + j * 4L, sum);
            }
        }

        @Override
        public void reflect(MemorySegment s, long v, float scale, long x, long row, int rows, int columns) {
            for (int i = 0; i < rows; i++) {
                float sum = 0;
                for (int j = 0; j < columns; j++) {
                    sum = Math.fma(s.get(F, v + j * 4L), s.get(F, x + i * row + j * 4L), sum);
                }
                sum *= -scale;
                for (int j = 0; j < columns; j++) {
                    long at = x + i * row + j * 4L;
                    s.set(F, at, Math.fma(s.get(F, v + j * 4L), sum, s.get(F, at)));
                }
            }
        }

        @Override
        public RowSteps rows() {
            return RowSteps.plain();
        }

        @Override
        public void transpose(MemorySegment s, long from, long fromRow, long to, long toRow, int rows, int columns) {
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    s.set(F, to + j * toRow + i * 4L, s.get(F, from + i * fromRow + j * 4L));
                }
            }
        }

        @Override
        public void product(MemorySegment s, long a, long aRow, long aInner, long b, long bRow, long c, long cRow, int m, int n, int k,
                float scale, boolean adds) {
            float[] sums = new float[n];
            float[] row = new float[n];
            for (int i = 0; i < m; i++) {
                Arrays.fill(sums, 0);
                for (int t = 0; t < k; t++) {
                    MemorySegment.copy(s, F, b + t * bRow, row, 0, n);
                    float factor = s.get(F, a + i * aRow + t * aInner);
                    for (int j = 0; j < n; j++) {
                        sums[j] = Math.fma(factor, row[j], sums[j]);
                    }
                }
                for (int j = 0; j < n; j++) {
                    long at = c + i * cRow + j * 4L;
                    s.set(F, at, adds ? Math.fma(scale, sums[j], s.get(F, at)) : scale * sums[j]);
                }
            }
        }
    }
}
