//! What is wrong with a call of a tool, in words.
//!
//! Owns how a refusal of HTTP reads there. Key invariant: places are named as in the arguments of the call,
//! not as in the batch that was made of them. Tests are below.

use serde_json::Value;

use crate::http::response::Response;

/// Says what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api::mcp) struct Words(pub(in crate::api::mcp) String);

impl From<Response> for Words {
    fn from(refusal: Response) -> Self {
        let problem: Value = serde_json::from_slice(refusal.body()).unwrap_or_default();
        let text = |member: &str| problem.get(member).and_then(Value::as_str).unwrap_or_default();
        let (code, detail, field) = (text("code"), text("detail"), text("field"));
        let is_named = field.is_empty() || detail.contains(field);
        Self(match is_named {
            true => format!("{code}: {detail}"),
            false => format!("{code}: {field}: {detail}"),
        })
    }
}

impl Words {
    /// The same with places in the arguments, of which so many became operations of a batch, one after the
    /// other.
    pub(super) fn of_call(self, names: &[(&str, usize)]) -> Self {
        let Some((before, rest)) = self.0.split_once("operations[") else {
            return self;
        };
        let Some((index, behind)) = rest.split_once(']') else {
            return self;
        };
        let Ok(mut index) = index.parse::<usize>() else {
            return self;
        };
        let behind = behind.strip_prefix(".item").unwrap_or(behind);
        for (name, count) in names {
            match index.checked_sub(*count) {
                None => return Self(format!("{before}{name}[{index}]{behind}")),
                Some(left) => index = left,
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::body;

    #[test]
    fn a_refusal_names_its_place_in_the_arguments() {
        let names = [("items", 3), ("layout", 1)];
        let told = |field: &str| {
            Words::from(body::invalid_at(field, "must be a number"))
                .of_call(&names)
                .0
        };
        for (field, place) in [
            ("operations[0].item.x", "items[0].x"),
            ("operations[2].item.content.text", "items[2].content.text"),
            ("operations[3].item.kind", "layout[0].kind"),
            ("operations[4].item.x", "operations[4].item.x"),
            ("operations", "operations"),
            ("width", "width"),
        ] {
            assert_eq!(
                told(field),
                format!("invalid_value: {place} must be a number"),
                "{field}"
            );
        }
    }

    #[test]
    fn a_field_that_the_words_do_not_name_is_named_before_them() {
        let problem = crate::http::response::Problem {
            status: 409,
            code: "item_exists",
            title: "",
            detail: "there is an item with this id".into(),
            field: None,
        };
        let refusal = Response::problem_with(&problem, &[("field", "operations[1].item.id")]);
        let words = Words::from(refusal).of_call(&[("items", 2)]);
        assert_eq!(words.0, "item_exists: items[1].id: there is an item with this id");
    }
}
