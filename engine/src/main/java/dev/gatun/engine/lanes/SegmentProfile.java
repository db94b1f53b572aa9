package dev.gatun.engine.lanes;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Teaches the JVM that vectors are loaded from and stored to native memory only, before any kernel runs. While a vector
 * loop is still interpreted, the JDK reinterprets and converts vectors by way of a byte array on the heap, through the
 * same methods that touch our segments. What those methods have seen is shared by the whole process, so the first
 * kernels to be compiled were compiled for both kinds of memory: an exponential of a row took 0.21 ns an element in
 * half of all JVMs, 0.57 in the others. After some thousand native accesses these methods are compiled themselves and
 * learn nothing more.
 *
 * <p>The memory is of a shared arena, as tensors' is. After a confined one the compiler took for granted that every arena has
 * an owner, hoisted that check out of each kernel's loop, and the kernel failed it at its first run and was compiled twice.
 */
public final class SegmentProfile {

    private static final int ROUNDS = 4000;

    private SegmentProfile() {}

    /** Takes about 80 ms, so it is best called in the background; nothing is done where there are no vector loops. */
    public static void teach() {
        if (VectorApi.present()) {
            Vectors.teach();
        }
    }

    /** Only loaded where the Vector API is. */
    private static final class Vectors {
        private static final VectorSpecies<Float> S = Lanes.F32;

        static void teach() {
            int bytes = S.vectorByteSize();
            VectorMask<Float> some = S.indexInRange(0, S.length() - 1);
            ByteOrder order = ByteOrder.nativeOrder();
            try (Arena arena = Arena.ofShared()) {
                MemorySegment memory = arena.allocate(8L * bytes, bytes);
                for (int i = 0; i < ROUNDS; i++) {
                    MemorySegment part = memory.asSlice((long) (i % 6) * bytes, 2L * bytes);
                    FloatVector whole = fromMemorySegment(S, part, bytes, order);
                    whole.intoMemorySegment(part, 0, order);
                    FloatVector most = fromMemorySegment(S, part, bytes, order, some);
                    most.intoMemorySegment(part, 0, order, some);
                }
            }
        }
    }
}
