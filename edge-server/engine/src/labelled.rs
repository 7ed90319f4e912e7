//! Enums that are values of a metric's label: what is documented of them is what stands at their variants.

/// Defines an enum with the name of each variant and, for the documents, what each means.
#[macro_export]
macro_rules! labelled {
    (
        $(#[$about:meta])*
        $seen:vis enum $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[error($($error:tt)*)])?
                $variant:ident $(($payload:ty))? => $label:literal,
            )+
        }
    ) => {
        $(#[$about])*
        $seen enum $name {
            $( $(#[doc = $doc])+ $(#[error($($error)*)])? $variant $(($payload))?, )+
        }

        impl $name {
            /// Every value of the metric's label, and what it means.
            pub const LABELS: &'static [(&'static str, &'static str)] =
                &[ $( ($label, concat!($($doc),+)), )+ ];

            /// The value of the metric's label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $label, )+
                }
            }
        }
    };
}
