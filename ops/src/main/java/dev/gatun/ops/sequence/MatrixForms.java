package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Warmup;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup.ClassOption;
import java.lang.invoke.MethodType;

/** The two forms of {@link MatrixSteps} and their warm-up, on matrices so small that it is over soon. */
final class MatrixForms {

    private static final Warmup<MatrixSteps> WARM =
            Warmup.of("small matrices", MatrixSteps.PLAIN, MatrixForms::make, MatrixForms::exercise);

    private static final int SIDE = 64;
    private static final long ROW = SIDE * 4L;
    private static final long BLOCK = SIDE * ROW;

    private MatrixForms() {}

    /** Whether the vector form answers for these arguments: it is up to speed, or nobody is there to stand in for it. */
    static boolean answers(Args a) {
        return a.isF32() && (WARM.ready() || !Backend.SCALAR.on());
    }

    static MatrixSteps fast() {
        return WARM.fast();
    }

    /** The vector form as a class of its own each time: to the compiler a new class is a new start. */
    private static MatrixSteps make() {
        try (InputStream bytes = MatrixSteps.class.getResourceAsStream("MatrixSteps$Fast.class")) {
            MethodHandles.Lookup made = MethodHandles.lookup().defineHiddenClass(bytes.readAllBytes(), true, ClassOption.NESTMATE);
            return (MatrixSteps) made.findConstructor(made.lookupClass(), MethodType.methodType(void.class)).invoke();
        } catch (IOException e) {
            throw new IllegalStateException("matrix steps: the vector form cannot be read", e);
        } catch (Throwable e) {
            throw new IllegalStateException("matrix steps: the JVM refused the vector form", e);
        }
    }

    /** Scratch that nobody reads. */
    private static final class Practice {
        static final MemorySegment S = Arena.global().allocate(4 * BLOCK, 64);
    }

    private static void exercise(MatrixSteps steps) {
        MemorySegment s = Practice.S;
        steps.rows().affine(s, 0, 0, 0.01f, s, 0, (int) (2 * BLOCK / 4));
        steps.transpose(s, 0, ROW, BLOCK, ROW, SIDE, SIDE);
        for (boolean adds : new boolean[] {false, true}) {
            steps.product(s, 0, ROW, 4, BLOCK, ROW, 2 * BLOCK, ROW, SIDE, SIDE, SIDE, 0.5f, adds);
            steps.product(s, 0, 4, ROW, BLOCK, ROW, 2 * BLOCK, ROW, SIDE, MatrixSteps.PAD, SIDE, 0.5f, adds);
        }
        for (int i = 0; i < SIDE; i++) {
            steps.rows().multiplyAdd(s, i * ROW, s, BLOCK + i * ROW, s, 3 * BLOCK, s, 3 * BLOCK, SIDE);
        }
        steps.rows().add(s, 0, s, 3 * BLOCK, SIDE * SIDE);
        steps.rows().dot(s, 0, s, BLOCK, SIDE);
        steps.rows().squares(s, 0, 0, SIDE * SIDE);
    }
}
