namespace Dataflow.Formats;

/// <summary>A value of a GGUF file's metadata.</summary>
public abstract record GgufValue
{
    private GgufValue() { }

    /// <summary>As the file has it.</summary>
    public abstract GgufKind Kind { get; }

    /// <summary>A whole number of any width.</summary>
    /// <param name="Width">Which of the eight kinds of whole numbers.</param>
    /// <param name="Number">Its value.</param>
    public sealed record Whole(GgufKind Width, Int128 Number) : GgufValue
    {
        /// <inheritdoc/>
        public override GgufKind Kind => Width;
    }

    /// <summary>A number in fp32 or fp64.</summary>
    /// <param name="Width">Which of the two.</param>
    /// <param name="Number">Its value.</param>
    public sealed record Real(GgufKind Width, double Number) : GgufValue
    {
        /// <inheritdoc/>
        public override GgufKind Kind => Width;
    }

    /// <summary>A truth value.</summary>
    /// <param name="Value">Whether it is so.</param>
    public sealed record Flag(bool Value) : GgufValue
    {
        /// <inheritdoc/>
        public override GgufKind Kind => GgufKind.Bool;
    }

    /// <summary>A text.</summary>
    /// <param name="Value">The text.</param>
    public sealed record Text(string Value) : GgufValue
    {
        /// <inheritdoc/>
        public override GgufKind Kind => GgufKind.String;
    }

    /// <summary>Values of one kind.</summary>
    /// <param name="Of">Their kind.</param>
    /// <param name="Items">
    /// In order, in the array of their own type, which takes no more memory than it must: byte[] to double[], bool[], string[], and List[]
    /// for arrays of arrays.
    /// </param>
    public sealed record List(GgufKind Of, Array Items) : GgufValue
    {
        /// <inheritdoc/>
        public override GgufKind Kind => GgufKind.Array;
    }

    /// <summary>A number of 32 bits without a sign, as most are.</summary>
    public static GgufValue UInt32(long number) => new Whole(GgufKind.UInt32, checked((uint)number));

    /// <summary>A number in fp32.</summary>
    public static GgufValue Float32(double number) => new Real(GgufKind.Float32, (float)number);
}
