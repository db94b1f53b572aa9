package dev.gatun.layers.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import dev.gatun.layers.Child;
import dev.gatun.layers.Params;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Resuming in another process, with vector kernels alone, which answer from the first call on, and vector loops waited for. */
@Tag("once")
class ResumeTest {

    private static final List<String> FLAGS = List.of("--add-modules", "jdk.incubator.vector", "-Dgatun.backends=vector,reference",
            "-Dgatun.deterministic=true");

    @TempDir
    Path folder;

    private List<String> run(Path file) throws Exception {
        Process child = Child.start(FLAGS, Run.class, file.toString());
        List<String> lines = child.inputReader().lines().toList();
        assertEquals(0, child.waitFor());
        return lines;
    }

    @Test
    void a_run_cut_in_two_processes_has_the_bits_of_one_in_one() throws Exception {
        Path file = folder.resolve("checkpoint.safetensors");
        List<String> whole = run(file);
        List<String> cut = run(file);
        assumeTrue(whole.get(1).equals(cut.get(1)), () -> "on a busy machine the warm-up of other kernels was given up: "
                + whole.get(1) + " and " + cut.get(1));
        assertEquals(whole.getFirst(), cut.getFirst());
    }

    /** First makes four steps, and two of another run, which it saves; then makes the other two of that. */
    static final class Run {
        public static void main(String[] args) throws Exception {
            Path file = Path.of(args[0]);
            Trainer trainer = trainer();
            if (Files.exists(file)) {
                trainer.resume(file);
                steps(trainer, 2);
            } else {
                steps(trainer, 4);
                Trainer half = trainer();
                steps(half, 2);
                half.checkpoint(file);
            }
            List<Tensor> flat = trainer.model().params().values().stream().map(value -> value.detach().reshape(-1)).toList();
            System.out.println(trainer.steps() + " steps, " + Arrays.hashCode(Tensor.concat(0, flat).toFloats()));
            System.out.println(Warmup.reports().stream().filter(report -> report.state() == Warmup.State.PLAIN).map(Warmup.Report::name).toList());
            System.exit(0);
        }

        private static Trainer trainer() {
            byte[] text = "the quick brown fox jumps over the lazy dog. ".repeat(20).getBytes(StandardCharsets.US_ASCII);
            LanguageModel model = new LanguageModel(Params.fresh(Key.of(1), DType.F32),
                    new LanguageModel.Config("attention", 128, 32, 1, 2, 1, 64, 24, true, 10_000, 0, false));
            return new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.constant(1e-2),
                    new TextWindows(text, 4, 24), Key.of(1), 1);
        }

        private static void steps(Trainer trainer, int count) {
            for (int i = 0; i < count; i++) {
                trainer.step();
            }
        }
    }
}
