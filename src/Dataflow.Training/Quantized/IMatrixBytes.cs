namespace Dataflow.Training;

/// <summary>Knows the bytes of a base's matrices that are stored in a type of their own.</summary>
public interface IMatrixBytes : IDisposable
{
    /// <summary>Those of one; of any, by any number of threads.</summary>
    byte[] Read(BaseMatrix matrix);
}
