using System.Collections.Immutable;

namespace Dataflow.Schedules.Tests;

public sealed class WaitInferenceTests
{
    private const string Frame = """
        schedule 1
        arena device 100
        stream compute
        stream copy
        stream host
        slot A device 0+40
        slot B device 40+40
        object a 40
        object b 40
        state a@A
        state b@B

        """;

    [Fact]
    public void A_reader_waits_for_the_writer_and_the_next_writer_for_the_reader() => Expect(
        """
        op 0 Update on compute a=a@A:rw after -1
        op 1 Norm on copy a=a@A:r after 0
        """);

    [Fact]
    public void Bytes_apart_in_a_slot_are_independent() => Expect(
        """
        op 0 Update on compute a=a@A[0+20]:rw
        op 1 Update on copy a=a@A[20+20]:rw
        """);

    [Fact]
    public void Reads_alone_need_no_waits() => Expect(
        """
        op 0 Norm on compute a=a@A:r
        op 1 Norm on copy a=a@A:r
        op 2 Norm on host a=a@A:r
        """);

    [Fact]
    public void A_wait_implied_by_another_is_left_out() => Expect(
        """
        op 0 Update on compute a=a@A:rw after -2
        op 1 Update on copy a=a@A:r b=b@B:rw after 0
        op 2 Norm on host a=a@A:r b=b@B:r after 1
        """);

    [Fact]
    public void A_wait_of_an_earlier_op_of_the_stream_is_not_repeated() => Expect(
        """
        op 0 Update on compute a=a@A:rw b=b@B:rw after -2
        op 1 Norm on copy a=a@A:r after 0
        op 2 Norm on copy b=b@B:r
        """);

    [Fact]
    public void Waits_already_there_are_replaced()
    {
        Schedule expected = ScheduleText.Parse(Frame + "op 0 Norm on compute a=a@A:r\nop 1 Norm on copy b=b@B:r\nend 2");
        ScheduledOp waiting = expected.Ops[1] with { Waits = [new Wait(0, 0), new Wait(0, 1)] };
        Assert.Equal(expected, WaitInference.Infer(expected with { Ops = expected.Ops.SetItem(1, waiting) }));
    }

    [Fact]
    public void An_empty_schedule_stays_empty() =>
        Assert.Empty(WaitInference.Infer(ScheduleText.Parse(Frame + "end 0")).Ops);

    [Fact]
    public void Inferred_schedules_verify_and_every_wait_is_needed()
    {
        int waits = 0;
        for (int seed = 0; seed < 3000; seed++)
        {
            var random = new Random(seed);
            Schedule schedule = WaitInference.Infer(RandomPrograms.Make(random, random.Next(1, 45)));
            Assert.True(ByteSimulation.Accepts(schedule));
            IReadOnlyList<ScheduleError> errors = ScheduleVerifier.Verify(schedule);
            Assert.True(errors.Count == 0, $"seed {seed}: {string.Join("\n", errors)}");
            Assert.Null(BruteForce.FindUnorderedConflict(schedule));
            waits += schedule.Ops.Sum(op => op.Waits.Length);
            if (seed % 5 == 0)
            {
                Assert.All(Deletion.All(schedule), deleted => Assert.True(BruteForce.HasUnorderedConflict(deleted), $"seed {seed}"));
            }
        }

        Assert.True(waits > 10_000, $"{waits} waits are too few for the programs to say much");
    }

    [Fact]
    public void Waits_are_sorted_by_distance_then_op()
    {
        for (int seed = 0; seed < 100; seed++)
        {
            foreach (ScheduledOp op in WaitInference.Infer(RandomPrograms.Make(new Random(seed), 30)).Ops)
            {
                Assert.Equal(op.Waits.OrderBy(w => w.Distance).ThenBy(w => w.Op), op.Waits);
            }
        }
    }

    private static void Expect(string ops)
    {
        int count = ops.Split('\n').Length;
        Schedule expected = ScheduleText.Parse($"{Frame}{ops}\nend {count}");
        ImmutableArray<ScheduledOp> bare = [.. expected.Ops.Select(op => op with { Waits = [] })];
        Assert.Equal(ScheduleText.Print(expected), ScheduleText.Print(WaitInference.Infer(expected with { Ops = bare })));
    }
}
