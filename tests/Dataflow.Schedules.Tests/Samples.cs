using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

/// <summary>Schedules that need not make sense, to be printed and parsed.</summary>
internal static class Samples
{
    /// <summary>One of everything, as printed.</summary>
    public const string Step = """
        schedule 1
        fact model "llama, 2 layers"
        arena host 4096
        arena device 2048
        stream compute
        stream h2d
        slot W.host host 0+1024
        slot W.0 device 0+1024
        slot X device 1024+512
        object W/L00 1024
        object X/C1 512
        input X/C1@X
        state W/L00@W.host
        state W/L00@W.0
        output X/C1@X
        op 0 Fetch L00 on h2d from=W/L00@W.host:r to=W/L00@W.0:w after -3
        op 1 Zero on h2d x=X/C1@X[0+128]:w after -2
        op 2 Forward L00 C1 R2 save=Kv,Attention on compute w=W/L00@W.0:r x=X/C1@X[128+256]:rw after 0 -3
        op 3 Update L00 piece=1 on compute w=W/L00@W.0:rw
        end 4

        """;

    private static readonly string[] Names =
    [
        "",
        "a",
        "a",
        "W/L00",
        "two words",
        "#3",
        "a=b@c[0+1]:r",
        "\"",
        "\\",
        "line\nbreak",
        "\r\t\0",
        "schön",
        "\u2028\u0085",
        "\ud83d\ude00",
        "\ud83d",
        "after",
        "on",
        "save",
        "//",
    ];

    /// <summary>Any value at all: odd names, indices of nothing, negative numbers.</summary>
    public static Schedule Arbitrary(Random random)
    {
        ImmutableArray<T> Some<T>(Func<T> make) => [.. Enumerable.Range(0, random.Next(6)).Select(_ => make())];
        int Int() => random.Next(8) switch { 0 => int.MaxValue, 1 => int.MinValue, 2 => -random.Next(9), _ => random.Next(6) };
        Bytes Size() => new(random.Next(8) switch { 0 => long.MaxValue, 1 => long.MinValue, _ => random.Next(4) });
        string Name() => random.Next(2) == 0 ? Names[random.Next(Names.Length)] : $"n{random.Next(1000)}";
        bool Maybe() => random.Next(2) == 0;

        return new Schedule
        {
            Facts = Some(() => KeyValuePair.Create(Name(), Name())),
            Arenas = Some(() => new Arena(Name(), Size())),
            Streams = Some(Name),
            Slots = Some(() => new Slot(Name(), Int(), Size(), Size())),
            Objects = Some(() => new DataObject(Name(), Size())),
            Inputs = Some(() => new Placement(Int(), Int())),
            State = Maybe() ? default : Some(() => new Placement(Int(), Int())),
            Outputs = Some(() => new Placement(Int(), Int())),
            Ops = Some(() => new ScheduledOp
            {
                Kind = Maybe() ? (OpKind)Int() : OpKind.Forward,
                Stream = Int(),
                Layer = Maybe() ? new Layer(Int()) : null,
                VocabularyBlock = Maybe() ? new VocabularyBlock(Int()) : null,
                Chunk = Maybe() ? new Chunk(Int()) : null,
                Round = Maybe() ? new Round(Int()) : null,
                Segment = Maybe() ? new Segment(Int(), Int()) : null,
                Piece = Int(),
                Saved = (SaveSet)Int(),
                Wanted = (SaveSet)random.Next(32),
                Accesses = Some(() => new Access(Name(), Int(), Int(), Size(), Size(), (AccessMode)Int())),
                Waits = Maybe() ? default : Some(() => new Wait(Int(), random.Next(4) == 0 ? Int() : random.Next(2))),
            }),
        };
    }
}
