package dev.gatun.engine.lanes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.engine.DType;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The text itself; that it computes the same bits is for a device to show. */
class PtxTextTest {

    private static final Expr X = Expr.input(0);
    private static final List<DType> F32 = List.of(DType.F32);

    @TempDir
    private Path folder;

    private static String text(DType lanes, List<DType> in, DType out, Access access, Expr body) {
        return PtxText.of(new PtxText.Form(
                lanes, in, List.of(out), List.of(body), Collections.nCopies(in.size(), access), 3, false, 1));
    }

    @Test
    void parameters_come_in_the_order_that_is_promised() {
        String text = text(DType.F32, F32, DType.F32, Access.STRIDED, X.add(Expr.parameter(0)));
        String head = text.substring(text.indexOf('('), text.indexOf(')'));
        assertEquals(
                List.of("x0", "x1", "n", "d1", "d2", "s0_0", "s0_1", "s0_2", "q0"),
                head.lines().filter(line -> line.contains(".param"))
                        .map(line -> line.strip().replaceAll(".* |,", "")).toList());
    }

    @Test
    void every_operation_rounds_where_it_stands() {
        String text = text(DType.F32, F32, DType.F32, Access.DENSE, X.mul(X).add(1).div(X.sqrt()));
        for (String rounded : List.of("mul.rn.f32", "add.rn.f32", "div.rn.f32", "sqrt.rn.f32")) {
            assertTrue(text.contains(rounded), rounded);
        }
        assertFalse(text.contains("fma"), "two roundings must not become one");
    }

    @Test
    void sines_of_far_angles_are_written_for_floats_only() {
        assertTrue(PtxText.writes(DType.F32, F32, F32, List.of(X.sin())));
        assertFalse(PtxText.writes(DType.F64, List.of(DType.F64), List.of(DType.F64), List.of(X.sin())));
        assertTrue(PtxText.writes(DType.F64, List.of(DType.F64), List.of(DType.F64), List.of(X.exp())));
    }

    @Test
    void the_assembler_takes_every_function_type_and_access() throws Exception {
        assumeTrue(onPath("ptxas"), "ptxas is not on the PATH");
        List<String> texts = new ArrayList<>();
        List<Expr> functions = List.of(
                X.exp(), X.log(), X.log1p(), X.expm1(), X.tanh(), X.sigmoid(), X.erf(), X.pow(2.5), X.floor(), X.rsqrt(),
                X.lt(0).select(X.neg(), X.abs()).min(1).max(-1), X.gt(0).and(X.ne(2).not()).or(X.isNaN()).select(X, 0));
        for (Access access : Access.values()) {
            for (Expr f : functions) {
                texts.add(text(DType.F32, F32, DType.F32, access, f));
                texts.add(text(DType.F64, List.of(DType.F64), DType.F64, access, f));
            }
            texts.add(text(DType.F32, F32, DType.F32, access, X.sin().add(X.cos())));
            for (DType from : DType.values()) {
                for (DType to : DType.values()) {
                    for (DType lanes : List.of(DType.F32, DType.F64, DType.I32, DType.I64)) {
                        texts.add(text(lanes, List.of(from), to, access, X));
                    }
                }
            }
            for (DType whole : List.of(DType.I32, DType.I64)) {
                texts.add(text(whole, List.of(whole, whole), whole, access, X.mul(Expr.input(1)).fma(X, Expr.input(1)).div(3).max(X)));
            }
        }
        texts.add(PtxText.of(new PtxText.Form(
                DType.F32, F32, F32, List.of(X.square()), List.of(Access.STRIDED), 2, true, 0)));
        StringBuilder all = new StringBuilder(texts.getFirst().lines().limit(3).reduce("", (a, b) -> a + b + "\n"));
        for (int i = 0; i < texts.size(); i++) {
            String entry = texts.get(i).substring(texts.get(i).indexOf(".visible"));
            all.append(entry.replace(".entry " + PtxText.KERNEL, ".entry e" + i));
        }
        assertEquals("", assembled(all.toString()));
    }

    private String assembled(String text) throws IOException, InterruptedException {
        Path file = Files.writeString(folder.resolve("all.ptx"), text);
        Process process = new ProcessBuilder("ptxas", "-arch=sm_75", "-O0", "-o", folder.resolve("all.cubin").toString(), file.toString())
                .redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return process.waitFor() == 0 ? "" : said;
    }

    private static boolean onPath(String tool) {
        for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, tool))) {
                return true;
            }
        }
        return false;
    }
}
