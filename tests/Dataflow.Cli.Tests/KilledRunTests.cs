namespace Dataflow.Cli.Tests;

/// <summary>
/// Runs that are killed or asked to end at random moments and gone on with by their folder alone: nothing is lost, and the bits are those
/// of an unbroken run.
/// </summary>
[Trait("Soak", "true")]
[Trait("Slow", "true")]
public class KilledRunTests
{
    private const int Steps = 12;
    private static readonly bool s_full = Environment.GetEnvironmentVariable("DATAFLOW_SOAK") == "1";
    private static readonly int s_seed = s_full ? Environment.TickCount : 1;

    /// <summary>In full 51 kills and 21 requests to end, on three recipes.</summary>
    public static TheoryData<string, int, int> Recipes => s_full
        ? new() { { "fp32", 17, 7 }, { "bf16-sr", 17, 7 }, { "bf16-master --clip 0.5", 17, 7 } }
        : new() { { "bf16-sr", 0, 1 }, { "bf16-master --clip 0.5", 1, 0 } };

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Whenever_a_run_ends_it_goes_on_to_the_same_bits(string recipe, int kills, int terminations)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {s_seed}");
        using var scratch = new ScratchFolder();
        string run =
            $"train nano --seqlen 32 --device-memory 8MiB --host-memory 64MiB --policy simple --data LICENSE --global-batch 64 "
                + $"--checkpoint-every 1 --keep 3 --json --dtype {recipe}";
        Programs.Good(Programs.Dataflow($"{run} --steps {Steps} --checkpoint {scratch.File("straight")}"));
        var random = new Random(s_seed);
        var signals = Enumerable.Repeat(LiveRun.Kill, kills).Concat(Enumerable.Repeat(LiveRun.Term, terminations)).ToArray();
        random.Shuffle(signals);
        for (int next = 0, campaign = 0; next < signals.Length; campaign++)
        {
            string saved = scratch.File($"saved-{campaign}");
            next = Campaign(run, saved, signals, next, random);
            Assert.Equal(Enumerable.Range(1, Steps), RunReportTests.StepsIn(saved));
            Assert.All(Directory.GetFiles(scratch.File($"straight/step-{Steps:00000000}"), "*.safetensors"), file => Assert.Equal(
                File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(saved, $"step-{Steps:00000000}", Path.GetFileName(file)))));
        }
    }

    /// <summary>One run, broken off until its end or until no signals are left; how many are used.</summary>
    private static int Campaign(string run, string saved, int[] signals, int next, Random random)
    {
        int known = 0;
        while (true)
        {
            if (Directory.Exists(Path.Combine(saved, $"step-{Steps:00000000}")))
            {
                return next; // it was killed when its last checkpoint was complete: there is nothing to go on with
            }

            bool begun = Directory.Exists(saved) && Directory.GetDirectories(saved, "step-*").Length > 0;
            using var live = LiveRun.Dataflow(begun ? $"train --resume {saved} --json" : $"{run} --steps {Steps} --checkpoint {saved}");
            bool interrupts = next < signals.Length && known < Steps - 1;
            if (interrupts)
            {
                // Somewhere between two lines: after some step or save, and up to about a step later.
                live.Await(random.Next(2) == 0 ? "step" : "saved", random.Next(1, 3));
                Thread.Sleep(random.Next(30));
                interrupts = live.Send(signals[next]); // it may have come to its end just before
            }

            var (status, errors) = live.End();
            var steps = live.Of("step");
            if (steps.Length > 0)
            {
                Assert.True(
                    steps[0].GetProperty("step").GetInt32() > known,
                    $"step {known} was saved, and the next run began with {steps[0]}"
                );
            }

            known = live.Of("saved").Select(e => e.GetProperty("step").GetInt32()).Append(known).Max();
            if (status == 0)
            {
                return interrupts ? next + 1 : next;
            }

            Assert.True(interrupts, $"status {status}: {errors}");
            Assert.Equal(signals[next] == LiveRun.Kill ? 137 : 143, status);
            next++;
        }
    }
}
