package dev.gatun.cli;

import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Key;
import dev.gatun.engine.Warmup;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.Trainer;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * One session of a run: steps until the budget is spent or somebody asks to stop, with a checkpoint now and then and at
 * the end.
 */
final class Training {

    /** Steps in which the rate rises; a tenth of the run where that is shorter. */
    private static final long WARM_UP = 50;

    /** The rate ends at this part of its peak. */
    private static final double FLOOR = 0.05;

    /** After the first step of a session kernels are compiled before the second begins; cold, a step takes longer than that. */
    private static final Duration MOST_WARMING = Duration.ofSeconds(8);

    /** A shorter run is over before that pays. */
    private static final int FEW_STEPS = 10;
    private static final double FEW_SECONDS = 15;

    private static final double CLIP = 1;
    private static final double SECONDS_BETWEEN_CHECKPOINTS = 60;

    /** How often a run is judged on the way, and on how many bytes. */
    private static final int JUDGEMENTS = 12;

    private static final int GLANCE = 1 << 13;

    private final Settings settings;
    private final RunFolder folder;
    private final Corpus corpus;
    private final Trainer trainer;
    private final Budget budget;

    /** A fresh run. */
    Training(Settings settings, RunFolder folder, Corpus corpus, Device device) {
        this.settings = settings;
        this.folder = folder;
        this.corpus = corpus;
        this.budget = new Budget(settings.steps(), settings.minutes() * 60);
        Key key = Key.of(settings.seed());
        LanguageModel model = new LanguageModel(Params.fresh(key.child("model"), DType.F32, device), settings.model());
        this.trainer = new Trainer(
                model,
                new AdamW(model.params(), AdamW.Settings.DEFAULT),
                Schedule.constant(settings.rate()),
                new TextBatches(corpus.training(), (int) settings.batch(), (int) settings.context()),
                key.child("training"),
                CLIP);
    }

    /** Goes on from the folder's checkpoint. */
    void resume() throws IOException {
        trainer.resume(folder.checkpoint());
    }

    LanguageModel model() {
        return trainer.model();
    }

    /** How many steps were made, in all sessions. */
    long steps() {
        return trainer.steps();
    }

    /** Trains, and returns every step of the run; the checkpoint is of the last one. */
    List<Metrics.Row> run(Progress progress, Interrupt interrupt) throws IOException {
        Judge glance = new Judge(corpus.heldOut(), (int) settings.context(), GLANCE + (int) settings.context());
        LanguageModel still = model().frozen();
        try (Metrics metrics = Metrics.open(folder.metrics(), trainer.steps())) {
            List<Metrics.Row> before = metrics.rows();
            double earlier = before.isEmpty() ? 0 : before.getLast().seconds();
            long tokens = before.isEmpty() ? 0 : before.getLast().tokens();
            if (budget.spent(trainer.steps(), earlier)) {
                throw new UserError("the run has made " + trainer.steps() + " steps in "
                        + HtmlReport.duration(earlier) + ", as it was told; give a larger --steps or --minutes, counted from the start");
            }
            double nextJudgement = Math.floor(budget.used(trainer.steps(), earlier) * JUDGEMENTS + 1) / JUDGEMENTS;
            double pace = 0;
            double saved = 0;
            long start = System.nanoTime();
            double elapsed = earlier;
            boolean cold = true;
            while (!budget.spent(trainer.steps(), elapsed) && !interrupt.requested()) {
                Trainer.Metrics step = cold ? firstStep(rate(elapsed)) : trainer.step(rate(elapsed));
                elapsed = earlier + (System.nanoTime() - start) * 1e-9;
                tokens += step.tokens();
                pace = pace == 0 ? step.seconds() : 0.9 * pace + 0.1 * step.seconds();
                double used = budget.used(trainer.steps(), elapsed);
                double heldOut = Double.NaN;
                if (used >= nextJudgement && used < 1) {
                    heldOut = glance.bitsPerByte(still);
                    nextJudgement += 1.0 / JUDGEMENTS;
                }
                long offHeap = HostPool.shared().heldBytes();
                metrics.add(new Metrics.Row(
                        trainer.steps(), elapsed, tokens, step.loss(), heldOut, step.rate(), step.gradientNorm(), offHeap));
                progress.show(new Progress.State(
                        trainer.steps(),
                        step.loss(),
                        step.tokens() / pace,
                        offHeap,
                        used,
                        budget.left(trainer.steps(), elapsed, pace)));
                if (cold && !interrupt.requested()) {
                    cold = false;
                    if (budget.steps() - trainer.steps() > FEW_STEPS || budget.seconds() - elapsed > FEW_SECONDS) {
                        Warmup.awaitAll(MOST_WARMING);
                    }
                    elapsed = earlier + (System.nanoTime() - start) * 1e-9;
                }
                if (elapsed - earlier - saved > SECONDS_BETWEEN_CHECKPOINTS) {
                    saved = elapsed - earlier;
                    saveOnTheWay(progress);
                }
            }
            trainer.checkpoint(folder.checkpoint());
            return metrics.rows();
        } catch (ArithmeticException notFinite) {
            trainer.checkpoint(folder.checkpoint());
            throw new UserError(notFinite.getMessage() + "; the checkpoint is of the step before, a lower --rate may help");
        }
    }

    /** The first step has the compiler for itself; what it needs is compiled for the second one, in the pause between them. */
    private Trainer.Metrics firstStep(double rate) {
        try (Warmup.Held held = Warmup.hold()) {
            return trainer.step(rate);
        }
    }

    // A full disk for a moment should not end a run: the checkpoint before is still whole.
    private void saveOnTheWay(Progress progress) {
        try {
            trainer.checkpoint(folder.checkpoint());
        } catch (IOException e) {
            progress.say("could not save step " + trainer.steps() + " (" + e.getMessage() + "); training goes on");
        }
    }

    private double rate(double elapsed) {
        long step = trainer.steps();
        long warmUp = budget.steps() == 0 ? WARM_UP : Math.min(WARM_UP, Math.max(1, budget.steps() / 10));
        double risen = Math.min(1, (step + 1.0) / warmUp);
        return risen * Schedule.decayed(settings.rate(), settings.rate() * FLOOR, budget.used(step, elapsed));
    }
}
