// Winograd's minimal filtering (Lavin and Gray 2016) in one dimension, for both convolutions that one by 5 with a stride
// of 2 consists of: one by 3 of the odd inputs and one by 2 of the even inputs. Both give their outputs from products at
// the same points, of which the second lacks one: so the products are summed before the outputs are made.
//
// OUTPUTS come from products at POINTS, infinity last. LEFT_OUT is the one that the even inputs lack.

// F(4, 3) and F(4, 2), at 0, r, -r, 2r, -2r, infinity with r = sqrt(1/2): of those with few operations they err least.
struct FourAtATime {
    enum { OUTPUTS = 4, POINTS = 6, LEFT_OUT = 4 };
    static constexpr float R = 0.70710678118654752f;

    static METHOD void odd(const vec x[6], vec points[6]) {
        points[0] = x[0] - 2.5f * x[2] + x[4];
        const vec a = x[4] - 2.0f * x[2], b = R * (x[3] - 2.0f * x[1]);
        points[1] = a + b;
        points[2] = a - b;
        const vec c = x[4] - 0.5f * x[2], d = 2.0f * R * (x[3] - 0.5f * x[1]);
        points[3] = c + d;
        points[4] = c - d;
        points[5] = x[1] - 2.5f * x[3] + x[5];
    }

    static METHOD void even(const vec x[5], vec points[6]) {
        points[3] = x[3] - 0.5f * x[1];
        points[0] = points[3] - 2.0f * R * x[2] + R * x[0];
        points[1] = x[3] - R * x[2] - x[1];
        points[2] = x[3] - 3.0f * R * x[2] + x[1];
        points[5] = x[4] - 2.0f * R * x[3] - 0.5f * x[2] + R * x[1];
    }

    static METHOD void outputs(const vec points[6], vec y[4]) {
        const vec a = points[1] + points[2], b = points[1] - points[2];
        const vec c = points[3] + points[4], d = points[3] - points[4];
        y[0] = points[0] + a + c;
        y[1] = R * b + 2.0f * R * d;
        y[2] = 0.5f * a + 2.0f * c;
        y[3] = 0.5f * R * b + 4.0f * R * d + points[5];
    }
};

// F(2, 3) and F(2, 2), at 0, 1, -1, infinity.
struct TwoAtATime {
    enum { OUTPUTS = 2, POINTS = 4, LEFT_OUT = 2 };

    static METHOD void odd(const vec x[4], vec points[4]) {
        points[0] = x[2] - x[0];
        points[1] = x[2] + x[1];
        points[2] = x[2] - x[1];
        points[3] = x[3] - x[1];
    }

    static METHOD void even(const vec x[3], vec points[4]) {
        points[0] = x[1] - x[0];
        points[1] = x[1];
        points[3] = x[2] - x[1];
    }

    static METHOD void outputs(const vec points[4], vec y[2]) {
        y[0] = points[0] + points[1] + points[2];
        y[1] = points[1] - points[2] + points[3];
    }
};
