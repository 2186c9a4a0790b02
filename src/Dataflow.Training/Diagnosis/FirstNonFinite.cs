using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Training;

/// <summary>
/// Looks at what each kernel of a step wrote, until it finds a value that is not finite; then at what that kernel read, which may have
/// been so before.
/// </summary>
internal sealed class FirstNonFinite(ModelConfig model)
{
    private const int PieceBytes = 1 << 22;
    private readonly byte[] piece = new byte[PieceBytes];
    private readonly Lock gate = new();

    /// <summary>The first that was found; null where all were finite.</summary>
    public NonFiniteValue? Found { get; private set; }

    /// <summary>Looks at a call.</summary>
    public void Look(CompletedCall call)
    {
        lock (gate)
        {
            Found ??= In(call);
        }
    }

    private NonFiniteValue? In(in CompletedCall call)
    {
        if (IsUnfinished(call.Call))
        {
            return null;
        }

        var touched = call.Accesses().Ranges;
        Operand[] outputs = [.. call.Call.Writes, .. call.Call.Updates];
        if (First(call, outputs, touched.Where(r => r.Access != KernelAccess.Read)) is not { } written)
        {
            return null;
        }

        var read = touched.Where(r => r.Access == KernelAccess.Read).ToList();
        Operand[] inputs = [.. call.Call.Reads];
        bool IsWeight(Operand operand) => TensorTerms.KindOf(operand.Tensor) == NonFiniteKind.Weight;
        if (First(call, [.. inputs.Where(IsWeight)], read) is { } weight)
        {
            return Named(call, weight, NonFiniteKind.Weight, weight.Operand.Tensor);
        }

        if (First(call, [.. inputs.Where(i => !IsWeight(i))], read) is { } input)
        {
            return Named(call, input, NonFiniteKind.Damaged, input.Operand.Tensor);
        }

        var tensor = TensorTerms.Written(call.Call, written.Operand.Tensor);
        return Named(call, written, TensorTerms.KindOf(tensor), tensor);
    }

    /// <summary>Of experts in groups the last product alone finds all rows written.</summary>
    private static bool IsUnfinished(KernelCall call) => call switch
    {
        GroupedGemmForwardCall c => c.Groups > 1 && c.B.Part < c.Groups - 1,
        GroupedGemmInputGradientCall c => c.Groups > 1 && c.B.Part < c.Groups - 1,
        _ => false,
    };

    /// <summary>The first of the operands' values that is not finite, of those that are in the ranges.</summary>
    private Place? First(
        in CompletedCall call, Operand[] operands, IEnumerable<(nuint Start, long Bytes, KernelAccess Access)> ranges)
    {
        foreach (var range in ranges)
        {
            foreach (var operand in operands)
            {
                var (start, length) = RangeOf(call.Operands, operand);
                if (length > 0 && range.Start - start < (nuint)length)
                {
                    long bytes = Math.Min(range.Bytes, length - (long)(range.Start - start));
                    if (First(call.Memory, range.Start, bytes, call.Operands.Place(operand).Type) is var (element, value))
                    {
                        long skipped = (long)(range.Start - start) / call.Operands.Place(operand).Type.Size();
                        return new Place(operand, skipped + element, value);
                    }

                    break;
                }
            }
        }

        return null;
    }

    private (long Element, float Value)? First(IArenaMemory memory, nuint start, long bytes, DType type)
    {
        for (long at = 0; at < bytes; at += PieceBytes)
        {
            var here = piece.AsSpan(0, (int)Math.Min(PieceBytes, bytes - at));
            memory.Read(start + (nuint)at, here);
            if (FiniteNumbers.AreAll(here, type))
            {
                continue;
            }

            for (int i = 0; i < here.Length / type.Size(); i++)
            {
                float value = type == DType.Float32
                    ? MemoryMarshal.Cast<byte, float>(here)[i]
                    : BitConverter.Int32BitsToSingle(MemoryMarshal.Cast<byte, short>(here)[i] << 16);
                if (!float.IsFinite(value))
                {
                    return ((at / type.Size()) + i, value);
                }
            }
        }

        return null;
    }

    /// <summary>The bytes of an operand; none where it is not looked at, and of what is as long as its window those of the op.</summary>
    private static (nuint Start, long Bytes) RangeOf(in OpOperands operands, Operand operand)
    {
        if (!TensorTerms.IsLookedAt(operand.Tensor) || operands.Place(operand).Type is not (DType.Float32 or DType.BFloat16))
        {
            return default;
        }

        var tensor = operand.Tensor is TensorName.KvSegment or TensorName.GradKvSegment
            ? operands.AccessedRows(operand)
            : operands.Tensor(operand);
        return (tensor.Address, tensor.Bytes);
    }

    private NonFiniteValue Named(in CompletedCall call, Place place, NonFiniteKind kind, TensorName tensor)
    {
        var (op, operand) = (call.Op, place.Operand);
        var shape = call.Operands.Place(operand);
        bool isWeight = kind is NonFiniteKind.Weight or NonFiniteKind.WeightGradient;
        bool hasTokens = shape.Tokens is TokenAxis.Rows or TokenAxis.SubChunkRows;
        return new NonFiniteValue(kind, isWeight ? NameOf(call, operand, place.Element) : TensorTerms.Of(tensor))
        {
            Layer = op.Layer,
            Chunk = op.Chunk,
            Round = op.Round,
            Op = op.Kind,
            Kernel = call.Call.Kernel,
            Token = hasTokens ? call.Operands.FirstToken + (int)(place.Element / shape.Columns) : null,
            Value = place.Value,
        };
    }

    /// <summary>The checkpoint's name of a weight: of one that holds several, by the element.</summary>
    private string NameOf(in CompletedCall call, Operand operand, long element)
    {
        var (op, weight) = (call.Op, operand.Tensor == TensorName.HeadBias ? WeightName.HeadBias : operand.Weight);
        bool isCut = weight is WeightName.EmbeddingTable or WeightName.HeadMatrix or WeightName.LayerInputTable && call.Operands.HasBlock;
        var place = call.Operands.Place(operand);
        long ofWhole = element + (isCut ? call.Operands.FirstId * place.Columns : place.Rows * place.Columns * operand.Part);
        var bindings = WeightNames
            .Enumerate(model)
            .Where(b => b.Tensor.Name == weight && (op.Layer is { } l ? b.Object == ParameterObject.Block(l)
                : b.Object.Kind != ParameterObjectKind.Block))
            .ToList();
        return (bindings.Find(b => ofWhole - b.Part.FirstElement is >= 0 and var within && within < b.ElementCount)
            ?? bindings.FirstOrDefault())?.Name ?? weight.ToString();
    }

    private readonly record struct Place(Operand Operand, long Element, float Value);
}
