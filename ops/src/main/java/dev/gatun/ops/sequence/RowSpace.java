package dev.gatun.ops.sequence;

import dev.gatun.ops.sequence.MemoryDesk.Block;
import java.lang.foreign.MemorySegment;

/**
 * The space that the rows of a matrix B lie in, {@code B = L Qᵀ}: reflections from the right (Householder) until row i ends at
 * column i. Always of {@code min(rows, columns)} dimensions; rows that depend on each other leave columns of L empty.
 */
final class RowSpace {

    /** A row whose remaining square is less than this is over: it would be no multiple of any direction. */
    private static final float NOTHING = 1e-30f;

    private final MemoryDesk desk;
    /** Dimensions. */
    final int span;
    /** Whether that is the space of all rows. */
    final boolean whole;
    /** B. */
    final Block given;
    /** L, and its first rows in rows of their length. */
    final Block places;
    final Block pastPlaces;
    /** {@code Qᵀ} and Q. */
    final Block basis;
    final Block basisTurned;
    private final Block normals;
    private final float[] factors;

    RowSpace(MemoryDesk desk, int rows, int columns, int first) {
        this.desk = desk;
        span = Math.min(rows, columns);
        whole = span == columns;
        given = desk.block(rows, columns);
        places = desk.block(rows, columns);
        pastPlaces = desk.block(first, span);
        basis = desk.block(span, columns);
        basisTurned = desk.block(columns, span);
        normals = desk.block(span, columns);
        factors = new float[span];
    }

    /** Takes B apart. */
    void find() {
        MemorySegment s = desk.s;
        int bytes = given.columns() * 4;
        MemorySegment.copy(s, given.at(), s, places.at(), given.end() - given.at());
        desk.clear(normals);
        for (int i = 0; i < span; i++) {
            long row = places.at() + i * places.row();
            long normal = normals.at() + i * normals.row();
            MemorySegment.copy(s, row + i * 4L, s, normal + i * 4L, bytes - i * 4L);
            float squares = desk.steps.rows().squares(s, normal, 0, given.columns());
            float diagonal = 0;
            factors[i] = 0;
            if (squares > NOTHING) {
                float head = normals.get(s, i, i);
                float norm = (float) Math.sqrt(squares);
                diagonal = head < 0 ? norm : -norm;
                normals.set(s, i, i, head - diagonal);
                factors[i] = 1 / (squares + Math.abs(head) * norm);
                reflect(i, places);
            }
            s.asSlice(row + i * 4L, bytes - i * 4L).fill((byte) 0);
            places.set(s, i, i, diagonal);
        }
        desk.clear(basis);
        for (int i = 0; i < span; i++) {
            basis.set(s, i, i, 1);
        }
        for (int i = span - 1; i >= 0; i--) {
            reflect(i, basis);
        }
        desk.turn(basis, basisTurned);
        desk.cut(places, 0, 0, pastPlaces);
    }

    /** Rows from about i on; those before it have nothing where the normal has something. */
    private void reflect(int i, Block block) {
        int from = i / 4 * 4;
        desk.steps.reflect(desk.s, normals.at() + i * normals.row(), factors[i], block.at() + from * block.row(), block.row(), block.rows() - from,
                given.columns());
    }
}
