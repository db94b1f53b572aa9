package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.BLOCK;
import static dev.gatun.ops.sequence.AttentionSteps.F;
import static dev.gatun.ops.sequence.AttentionSteps.ROW;
import static dev.gatun.ops.sequence.AttentionSteps.SIDE;

import dev.gatun.engine.Args;
import dev.gatun.engine.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Attention in F32 over tiles of 64 queries by 64 keys, forward and backward, in scratch memory of fixed size.
 *
 * <p>The scores of a tile lie key by key with the queries side by side, so that keys and values are used as they come,
 * only the queries are turned (once a tile), and maxima and sums over keys need no sum across lanes.
 */
final class AttentionTiles {

    private AttentionTiles() {}

    /** The rows of one head of a tensor: memory, first byte, bytes from row to row, width. */
    private record Rows(MemorySegment at, long start, long rowBytes, int width) {

        static Rows in(Args a, int input, long batch, long head) {
            long[] strides = a.strides(input);
            return new Rows(a.in(input), (batch * strides[0] + head * strides[1]) * 4, strides[2] * 4, (int) a.shape(input).last());
        }

        static Rows out(MemorySegment memory, long matrix, long rows, long width) {
            return new Rows(memory, matrix * rows * width * 4, width * 4, (int) width);
        }

        long row(long i) {
            return start + i * rowBytes;
        }
    }

    /** Whether inputs can be taken with the strides they have: the numbers of a row must be neighbours. */
    static boolean takes(Args a, int... inputs) {
        for (int input : inputs) {
            if (a.shape(input).last() > 1 && a.strides(input)[3] != 1) {
                return false;
            }
        }
        return true;
    }

    private static long tiles(long rows) {
        return Math.ceilDiv(rows, SIDE);
    }

    private static long blocks(long width) {
        return Math.ceilDiv(width, SIDE) * BLOCK;
    }

    // ---- forward ----

    /** With so few queries, products are made query by query and keys and values are read where they are. */
    private static final int FEW = 4;

    /** Items are tiles of queries. */
    static long forwardItems(Args a) {
        Shape q = a.shape(0);
        return single(a) ? q.dim(0) * a.shape(1).dim(1) * tiles(group(a)) : q.dim(0) * q.dim(1) * tiles(q.dim(2));
    }

    /** A tile's product takes about 10 µs. */
    static double forwardNanos(Args a) {
        return 10_000.0 * (1 + tiles(a.shape(1).dim(2)));
    }

    /** One query a head, as in decoding: the heads that share keys and values are then the rows of a tile. */
    private static boolean single(Args a) {
        return a.shape(0).dim(2) == 1;
    }

    private static long group(Args a) {
        return a.shape(0).dim(1) / Math.max(1, a.shape(1).dim(1));
    }

    static void forward(Args a, long from, long to, AttentionSteps steps) {
        long heads = a.shape(0).dim(1);
        long keyHeads = a.shape(1).dim(1);
        long queries = a.shape(0).dim(2);
        long width = a.shape(2).last();
        boolean single = single(a);
        long rows = single ? group(a) : queries;
        long tiles = tiles(rows);
        for (long item = from; item < to; item++) {
            long matrix = item / tiles;
            long batch = matrix / (single ? keyHeads : heads);
            long head = matrix % (single ? keyHeads : heads) * (single ? group(a) : 1);
            Rows q = Rows.in(a, 0, batch, head);
            Rows row = single ? new Rows(q.at, q.start, a.strides(0)[1] * 4, q.width) : q;
            forward(a, steps, batch, head / group(a), row, Rows.out(a.out(0), matrix, rows, width), matrix * rows, rows, item % tiles * SIDE);
        }
    }

    /** Rows i0 to i0 + 63 of queries: o, and lse from {@code firstRow} on. */
    private static void forward(Args a, AttentionSteps steps, long batch, long keyHead, Rows q, Rows o, long firstRow, long count, long i0) {
        Rows k = Rows.in(a, 1, batch, keyHead);
        Rows v = Rows.in(a, 2, batch, keyHead);
        long keys = a.shape(1).dim(2);
        MemorySegment mask = a.inputs() > 3 ? a.in(3).asSlice(batch * keys) : null;
        Attention op = a.op(Attention.class);
        boolean single = single(a);
        Sight sight = op.sight(a.shape(0).dim(2), keys);
        float scale = (float) (op.softcap() > 0 ? op.scaleFor(q.width) / op.softcap() : op.scaleFor(q.width));

        long turned = 0;
        long packedK = turned + blocks(q.width);
        long packedV = packedK + blocks(q.width);
        long scores = packedV + blocks(v.width);
        long sums = scores + BLOCK;
        long max = sums + blocks(v.width);
        long sum = max + ROW;
        long keep = sum + ROW;
        MemorySegment s = a.scratch(keep + ROW);

        int strip = steps.strip();
        int rows = (int) Math.min(SIDE, count - i0);
        boolean few = rows <= FEW;
        if (few) {
            for (int i = 0; i < rows; i++) {
                for (int d = 0; d < q.width; d++) {
                    s.set(F, turned + ((long) i * q.width + d) * 4, scale * q.at.get(F, q.row(i0 + i) + d * 4L));
                }
            }
        } else {
            steps.transpose(q.at, q.row(i0), q.rowBytes, rows, q.width, scale, s, turned);
        }
        steps.fill(s, sums, (int) (blocks(v.width) / 4), 0);
        steps.fill(s, max, SIDE, Float.NEGATIVE_INFINITY);
        steps.fill(s, sum, SIDE, 0);
        long first = single ? 0 : i0;
        long after = single ? 1 : i0 + rows;
        long end = sight.end(after - 1, keys);
        for (long j0 = sight.next(0, first, SIDE); j0 < end; j0 = sight.next(j0 + SIDE, first, SIDE)) {
            int n = (int) Math.min(SIDE, end - j0);
            boolean border = mask != null || !sight.all(first, after, j0, j0 + n);
            if (few) {
                for (int i = 0; i < rows; i++) {
                    steps.scores(s, turned + (long) i * q.width * 4, k.at, k.row(j0), k.rowBytes, n, q.width, scores + i * 4L);
                }
            } else {
                steps.pack(k.at, k.row(j0), k.rowBytes, n, q.width, s, packedK);
                for (int i = 0; i < rows; i += strip) {
                    for (int j = 0; j < n; j += 8) {
                        if (!border || single || sight.some(i0 + i, i0 + i + strip, j0 + j, j0 + Math.min(j + 8, n))) {
                            steps.rows(s, packedK + j * ROW, turned + i * 4L, scores + j * ROW + i * 4L, q.width);
                        }
                    }
                }
            }
            if (op.softcap() > 0) {
                steps.cap(s, scores, n * SIDE, (float) op.softcap());
            }
            if (border) {
                hide(s, steps, scores, n, sight, single, i0, j0, mask);
            }
            steps.rise(s, scores, n, rows, max, keep);
            steps.weigh(s, scores, n, rows, max, sum, keep);
            steps.fade(s, sums, keep, rows, v.width);
            if (few) {
                for (int i = 0; i < rows; i++) {
                    steps.mix(s, scores + i * 4L, v.at, v.row(j0), v.rowBytes, n, v.width, sums + i * ROW);
                }
            } else {
                steps.pack(v.at, v.row(j0), v.rowBytes, n, v.width, s, packedV);
                for (int i = 0; i < rows; i += 8) {
                    int seen = single ? n : (int) Math.max(0, sight.end(i0 + i + 7, j0 + n) - j0);
                    for (int d = 0; d < v.width; d += strip) {
                        long column = d / SIDE * BLOCK + d % SIDE * 4L;
                        steps.columns(s, scores + i * 4L, packedV + column, sums + column + i * ROW, seen);
                    }
                }
            }
        }
        for (int i = 0; i < rows; i++) {
            float total = s.get(F, sum + i * 4L);
            // A row that saw nothing has no total, no output, and the logarithm of nothing.
            boolean empty = total == 0;
            double log = s.get(F, max + i * 4L) + Math.log(total);
            a.out(1).set(F, (firstRow + i0 + i) * 4, empty ? Float.NEGATIVE_INFINITY : (float) log);
            steps.unpack(s, sums + i * ROW, empty ? 0 : 1 / total, v.width, o.at, o.row(i0 + i));
        }
    }

    /** Scores of what is not seen become -inf. All rows of single queries stand at one position. */
    private static void hide(MemorySegment s, AttentionSteps steps, long scores, int n, Sight sight, boolean single, long i0, long j0,
            MemorySegment mask) {
        for (int j = 0; j < n; j++) {
            boolean hidden = mask != null && mask.get(ValueLayout.JAVA_BYTE, j0 + j) == 0 || single && !sight.sees(0, j0 + j);
            int from = single ? 0 : (int) Math.clamp(sight.from(j0 + j) - i0, 0L, SIDE);
            int to = hidden ? 0 : single ? SIDE : (int) Math.clamp(sight.to(j0 + j) - i0, 0L, SIDE);
            if (from > 0 || to < SIDE) {
                steps.outside(s, scores + j * ROW, from, to);
            }
        }
    }

    // ---- backward ----

    /** Pieces that the queries of a head are cut into when there are few heads: fixed by shapes, so results never depend on threads. */
    private static long pieces(Args a) {
        Shape q = a.shape(0);
        long matrices = Math.max(1, q.dim(0) * q.dim(1));
        return Math.clamp(Math.min(Math.ceilDiv(8, matrices), q.dim(2) / 256), 1L, 8L);
    }

    /** Contributions to the gradient of one key head that are made apart from each other and summed at the end. */
    private static long shares(Args a) {
        return pieces(a) * (a.shape(0).dim(1) / Math.max(1, a.shape(1).dim(1)));
    }

    /** Items are pieces of heads: each writes its own dq, and dk and dv either to the outputs or to its share. */
    static long backwardItems(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1) * pieces(a);
    }

    static double backwardNanos(Args a) {
        return 30_000.0 * (1 + tiles(a.shape(0).dim(2)) * tiles(a.shape(1).dim(2)) / pieces(a));
    }

    static long backwardWorkspace(Args a) {
        return shares(a) == 1 ? 0 : shares(a) * (a.outSpec(1).bytes() + a.outSpec(2).bytes());
    }

    static void backward(Args a, long from, long to, AttentionSteps steps) {
        long heads = a.shape(0).dim(1);
        long group = heads / Math.max(1, a.shape(1).dim(1));
        long pieces = pieces(a);
        for (long item = from; item < to; item++) {
            long head = item / pieces % heads;
            backward(a, steps, item / pieces / heads, head, head / group, item % pieces, pieces, item);
        }
    }

    private static void backward(Args a, AttentionSteps steps, long batch, long head, long keyHead, long piece, long pieces, long item) {
        Rows q = Rows.in(a, 0, batch, head);
        Rows k = Rows.in(a, 1, batch, keyHead);
        Rows v = Rows.in(a, 2, batch, keyHead);
        Rows o = Rows.in(a, 3, batch, head);
        Rows g = Rows.in(a, 5, batch, head);
        long queries = a.shape(0).dim(2);
        long keys = a.shape(1).dim(2);
        long matrix = batch * a.shape(0).dim(1) + head;
        Rows dq = Rows.out(a.out(0), matrix, queries, q.width);
        boolean shared = shares(a) > 1;
        Rows dk = Rows.out(shared ? a.workspace() : a.out(1), item, keys, q.width);
        Rows dv = Rows.out(shared ? a.workspace().asSlice(shares(a) * a.outSpec(1).bytes()) : a.out(2), item, keys, v.width);
        MemorySegment mask = a.inputs() > 7 ? a.in(7).asSlice(batch * keys) : null;
        Attention op = a.op(AttentionGrad.class).of();
        Sight sight = op.sight(queries, keys);
        double scale = op.scaleFor(q.width);
        double cap = op.softcap();

        long turnedQ = 0;
        long packedQ = turnedQ + blocks(q.width);
        long packedK = packedQ + blocks(q.width);
        long sumsQ = packedK + blocks(q.width);
        long turnedG = sumsQ + blocks(q.width);
        long packedG = turnedG + blocks(v.width);
        long packedV = packedG + blocks(v.width);
        long scores = packedV + blocks(v.width);
        long slopes = scores + BLOCK;
        long product = slopes + BLOCK;
        long top = product + BLOCK;
        long delta = top + ROW;
        MemorySegment s = a.scratch(delta + ROW);

        int strip = steps.strip();
        dk.at.asSlice(dk.start, keys * dk.rowBytes).fill((byte) 0);
        dv.at.asSlice(dv.start, keys * dv.rowBytes).fill((byte) 0);
        long firstTile = tiles(queries) * piece / pieces;
        long lastTile = tiles(queries) * (piece + 1) / pieces;
        for (long i0 = firstTile * SIDE; i0 < lastTile * SIDE; i0 += SIDE) {
            int rows = (int) Math.min(SIDE, queries - i0);
            steps.transpose(q.at, q.row(i0), q.rowBytes, rows, q.width, (float) (cap > 0 ? scale / cap : scale), s, turnedQ);
            steps.transpose(g.at, g.row(i0), g.rowBytes, rows, v.width, 1, s, turnedG);
            steps.pack(q.at, q.row(i0), q.rowBytes, rows, q.width, s, packedQ);
            steps.pack(g.at, g.row(i0), g.rowBytes, rows, v.width, s, packedG);
            steps.fill(s, sumsQ, (int) (blocks(q.width) / 4), 0);
            steps.fill(s, top, SIDE, Float.POSITIVE_INFINITY); // makes P zero for rows that are missing or saw nothing
            steps.transpose(o.at, o.row(i0), o.rowBytes, rows, v.width, 1, s, packedV);
            steps.dots(s, turnedG, packedV, v.width, delta);
            for (int i = 0; i < rows; i++) {
                long at = (matrix * queries + i0 + i) * 4;
                float lse = a.in(4).get(F, at);
                s.set(F, top + i * 4L, lse == Float.NEGATIVE_INFINITY ? Float.POSITIVE_INFINITY : lse);
                s.set(F, delta + i * 4L, s.get(F, delta + i * 4L) - a.in(6).get(F, at));
            }
            long end = sight.end(i0 + rows - 1, keys);
            for (long j0 = sight.next(0, i0, SIDE); j0 < end; j0 = sight.next(j0 + SIDE, i0, SIDE)) {
                int n = (int) Math.min(SIDE, end - j0);
                boolean border = mask != null || !sight.all(i0, i0 + rows, j0, j0 + n);
                steps.pack(k.at, k.row(j0), k.rowBytes, n, q.width, s, packedK);
                steps.pack(v.at, v.row(j0), v.rowBytes, n, v.width, s, packedV);
                for (int i = 0; i < rows; i += strip) {
                    for (int j = 0; j < n; j += 8) {
                        if (!border || sight.some(i0 + i, i0 + i + strip, j0 + j, j0 + Math.min(j + 8, n))) {
                            steps.rows(s, packedK + j * ROW, turnedQ + i * 4L, scores + j * ROW + i * 4L, q.width);
                            steps.rows(s, packedV + j * ROW, turnedG + i * 4L, slopes + j * ROW + i * 4L, v.width);
                        }
                    }
                }
                if (cap > 0) {
                    steps.cap(s, scores, n * SIDE, (float) cap);
                }
                if (border) {
                    hide(s, steps, scores, n, sight, false, i0, j0, mask);
                }
                steps.slopes(s, scores, slopes, n, top, delta, cap > 0 ? (float) (1 / cap) : 0);
                add(steps, s, scores, packedG, product, 1, rows, n, sight, i0, j0, dv);
                add(steps, s, slopes, packedQ, product, (float) scale, rows, n, sight, i0, j0, dk);
                for (int i = 0; i < rows; i += 8) {
                    int seen = (int) Math.max(0, sight.end(i0 + i + 7, j0 + n) - j0);
                    for (int d = 0; d < q.width; d += strip) {
                        long column = d / SIDE * BLOCK + d % SIDE * 4L;
                        steps.columns(s, slopes + i * 4L, packedK + column, sumsQ + column + i * ROW, seen);
                    }
                }
            }
            for (int i = 0; i < rows; i++) {
                steps.unpack(s, sumsQ + i * ROW, (float) scale, q.width, dq.at, dq.row(i0 + i));
            }
        }
    }

    /** {@code out[j0 + j] += scale * sum over i of a[j, i] b[i]}. */
    private static void add(AttentionSteps steps, MemorySegment s, long a, long b, long product, float scale, int rows, int n,
            Sight sight, long i0, long j0, Rows out) {
        int strip = steps.strip();
        for (int d = 0; d < out.width; d += SIDE) {
            int width = Math.min(SIDE, out.width - d);
            for (int j = 0; j < n; j += 8) {
                int unseen = (int) Math.clamp(sight.from(j0 + j) - i0, 0L, rows);
                for (int e = 0; e < width; e += strip) {
                    steps.rows(s, a + j * ROW + unseen * 4L, b + d / SIDE * BLOCK + e * 4L + unseen * ROW,
                            product + j * ROW + e * 4L, rows - unseen);
                }
            }
            steps.addTo(s, product, scale, n, width, out.at, out.row(j0) + d * 4L, out.rowBytes);
        }
    }

    /** Items of the last phase are rows of dk and dv, whose shares are added in order. */
    static long gatherItems(Args a) {
        return shares(a) == 1 ? 0 : a.shape(1).dim(0) * a.shape(1).dim(1) * a.shape(1).dim(2);
    }

    static double gatherNanos(Args a) {
        return 0.3 * shares(a) * (a.shape(1).last() + a.shape(2).last());
    }

    static void gather(Args a, long from, long to) {
        MemorySegment dks = a.workspace();
        MemorySegment dvs = dks.asSlice(shares(a) * a.outSpec(1).bytes());
        for (long item = from; item < to; item++) {
            gather(a, dks, a.out(1), item, a.shape(1).last());
            gather(a, dvs, a.out(2), item, a.shape(2).last());
        }
    }

    private static void gather(Args a, MemorySegment in, MemorySegment out, long item, long width) {
        long shares = shares(a);
        long keys = a.shape(1).dim(2);
        MemorySegment y = out.asSlice(item * width * 4, width * 4);
        y.fill((byte) 0);
        for (long share = 0; share < shares; share++) {
            MemorySegment x = in.asSlice(((item / keys * shares + share) * keys + item % keys) * width * 4, width * 4);
            for (int d = 0; d < width; d++) {
                y.set(F, d * 4L, y.get(F, d * 4L) + x.get(F, d * 4L));
            }
        }
    }
}
